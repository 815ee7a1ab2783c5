"""`gridsim new`: its templates keep their contracts, and what it writes loads and runs."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import gridsim
from gridsim.errors import UsageError
from gridsim.plugins.host import PluginHost
from gridsim.plugins.kinds import KINDS
from gridsim.plugins.registry import Registry
from gridsim.running.plan import find_plugins
from gridsim.templates.plugin import TITLES, new_plugin
from tests.fixtures.prepared import gridsim as command

# The contract tests of the templates, under the name of their kind.
for _kind in TITLES:
    _module = import_module(f"gridsim.templates.plugins.{_kind}.test_newname")
    if _kind == "der":
        # A day in longer ticks: the devices are stepped one by one.
        _module.TestNewName.tick_s, _module.TestNewName.ticks = 900.0, 96
    for _name, _value in vars(_module).copy().items():
        if _name.startswith(("TestNewName", "test_")):
            globals()[f"{_name}_{_kind}"] = _value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a package my_KIND and a file one_KIND.py of each kind."""
    folder = tmp_path_factory.mktemp("new")
    for kind in TITLES:
        new_plugin(kind, f"my_{kind}", Registry(), single_file=False).write(folder)
        new_plugin(kind, f"one_{kind}", Registry(), single_file=True).write(folder)
    return folder


def test_there_is_a_template_for_every_kind() -> None:
    assert TITLES.keys() == KINDS.keys()


def test_a_package_has_its_own_name_everywhere(folder: Path) -> None:
    written = {str(path.relative_to(folder)) for path in (folder / "my_der").rglob("*.*")}
    assert written == {
        f"my_der/{path}"
        for path in (
            "README.md",
            "gridsim_my_der.py",
            "my_der.toml",
            "pyproject.toml",
            "tests/test_my_der.py",
        )
    }
    for path in folder.rglob("*.*"):
        if path.is_file():
            text = path.read_text()
            assert "newname" not in text.lower().replace("-", ""), path
            assert "{title}" not in text
    code = (folder / "my_der" / "gridsim_my_der.py").read_text()
    assert "class MyDer(Device[MyDerSettings]):" in code
    assert 'register.der("my_der", MyDer)' in code
    tests = (folder / "my_der" / "tests" / "test_my_der.py").read_text()
    assert "from gridsim_my_der import MyDer\n" in tests
    project = (folder / "my_der" / "pyproject.toml").read_text()
    assert 'name = "gridsim-my-der"' in project
    assert 'my_der = "gridsim_my_der"' in project


def test_ruff_finds_nothing_in_them(folder: Path) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    every = sorted(folder.glob("my_*"))
    for words in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run([*ruff, *words, *every], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", TITLES)
def test_its_configuration_runs(kind: str, folder: Path) -> None:
    package = folder / f"my_{kind}"
    code = package / f"gridsim_my_{kind}.py"
    with gridsim.run(package / f"my_{kind}.toml", plugins=[code], clock="manual") as run:
        run.advance(3)
        status = run.status()
        assert {sum(one.dropped.values()) for one in status.transports} == {0}
    assert not run.status().error
    written = package / {"transport": "readings.txt", "view": "run.txt"}.get(kind, "README.md")
    assert written.read_text()


@pytest.mark.parametrize("kind", TITLES)
def test_one_file_registers_its_type(kind: str, folder: Path) -> None:
    host = PluginHost()
    host.load_local(folder / f"one_{kind}.py")
    assert host.registry.names(kind) == [f"one_{kind}"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Ice-Rink", "such as ice_rink"),
        ("IceRink", "such as ice_rink"),
        ("9lives", "such as lives"),
        ("", "such as ice_rink"),
        ("été", "lower-case letters"),
        ("a__b", "such as a_b"),
        ("a_", "such as a"),
        ("../x", "such as x"),
        ("a" * 25, "has 25 characters; the most are 24"),
        ("class", "is a Python keyword"),
        ("match", "is a Python keyword"),
        ("random", "is the name of a module"),
        ("gridsim", "is the name of a module"),
        ("numpy", "is the name of a module"),
        ("device", "gives the class Device"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, says: str) -> None:
    with pytest.raises(UsageError, match="gridsim new: error: the name ") as refused:
        new_plugin("der", name, Registry(), single_file=True)
    assert says in str(refused.value)


def test_the_longest_name_is_accepted() -> None:
    assert new_plugin("der", "a" * 24, Registry(), single_file=True).root == f"{'a' * 24}.py"


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("der", "battery", "already has the DER 'battery'; choose another name"),
        ("probe", "mqtt", "already has the probe 'mqtt'"),
        ("probe", "stdout", "already has the transport 'stdout'"),
        ("fleet", "mine", "there is no kind 'fleet'; the kinds are der, transport, format"),
        ("der", "plugins", "the module gridsim_plugins is already installed"),
    ],
)
def test_taken_names_and_kinds_that_are_not_there_are_refused(
    kind: str, name: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        new_plugin(kind, name, find_plugins(None, ()), single_file=False)


def test_the_command_never_overwrites(tmp_path: Path) -> None:
    first = command("new", "load", "bakery", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines() == [
        "bakery written: a load, its tests and a configuration. Next:",
        "  pip install -e bakery",
        "  pytest bakery",
        "  gridsim plugins bakery",
        "  gridsim --config bakery/bakery.toml --duration 10s",
    ]
    again = command("new", "load", "bakery", cwd=tmp_path)
    assert again.returncode == 2
    assert again.stderr.startswith("bakery: error: the path already exists and was not changed; ")


def test_the_documentation_shows_the_der_type_as_it_is_written() -> None:
    page = (Path(__file__).parents[2] / "docs/first-day.md").read_text()
    [written] = new_plugin("der", "ice_rink", Registry(), single_file=True).files.values()
    assert f"```python\n{written}```" in page
