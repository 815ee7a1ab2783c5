"""Tests of packaging: `make wheel` runs them on the wheel in its own environment."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import gridsim

ROOT = Path(__file__).parents[2]
SOURCES = {"gridsim": ROOT / "gridsim", "gridsim_plugins": ROOT / "plugins/gridsim_plugins"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

PLUGIN = """
from gridsim.api import DerSettings, Device, hookimpl

class Kettle(Device):
    def step(self, tick):
        return -2.0

@hookimpl
def gridsim_register(register):
    register.der("kettle", Kettle)
"""
CONFIG = """
[simulation]
plugins = ["kettle.py"]
speed = 0
[[projects]]
id = "HOME"
[[projects.ders]]
id = "HOME_KETTLE"
type = "kettle"
nameplate_capacity = 2.0
[[transports]]
type = "stdout"
"""


def is_editable() -> bool:
    text = metadata.distribution("gridsim-der").read_text("direct_url.json")
    return bool(text and json.loads(text).get("dir_info", {}).get("editable"))


def installed(package: str) -> Path:
    return Path(importlib.import_module(package).__path__[0])


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the console script of this environment."""
    script = shutil.which("gridsim", path=sysconfig.get_path("scripts"))
    assert script is not None, "the console script is not installed"
    done = subprocess.run(
        [script, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done


def files(folder: Path) -> set[str]:
    """Return the files of a folder, without the caches that tools put beside them."""
    caches = {"__pycache__", ".ruff_cache", ".mypy_cache", ".pytest_cache"}
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in found if caches.isdisjoint(path.parts)}


@pytest.mark.parametrize("package", sorted(SOURCES))
def test_every_file_of_the_packages_is_installed(package: str) -> None:
    expected = files(SOURCES[package])
    assert {"py.typed", "__init__.py"} <= expected
    assert files(installed(package)) == expected
    for name in expected:
        assert (installed(package) / name).read_bytes() == (SOURCES[package] / name).read_bytes()


def test_the_wheel_is_tested_and_not_the_checkout() -> None:
    if is_editable():
        pytest.skip("the checkout itself is installed")
    for package in SOURCES:
        assert installed(package).is_relative_to(sysconfig.get_path("purelib"))


@pytest.mark.parametrize("package", sorted(SOURCES))
def test_every_module_can_be_imported(package: str) -> None:
    names = [
        ".".join([package, *Path(name).with_suffix("").parts]).removesuffix(".__init__")
        for name in sorted(files(SOURCES[package]))
        if name.endswith(".py")
    ]
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_distribution_says_what_it_is() -> None:
    about = metadata.metadata("gridsim-der")
    assert about["Version"] == gridsim.__version__
    assert about["Requires-Python"] == PROJECT["requires-python"]
    assert about["Summary"] == PROJECT["description"]
    needed = {text for text in about.get_all("Requires-Dist") or () if "extra ==" not in text}
    assert len(needed) == len(PROJECT["dependencies"])


def test_every_entry_point_is_installed_and_loads() -> None:
    own = metadata.distribution("gridsim-der").entry_points
    found = {point.name: point.value for point in own if point.group == "gridsim"}
    assert found == PROJECT["entry-points"]["gridsim"]
    for point in own:
        assert point.load() is not None, point.name


def test_the_command_lists_the_plugins_and_none_is_broken(tmp_path: Path) -> None:
    head, *rows = run("plugins", cwd=tmp_path).stdout.splitlines()
    assert head.split()[:4] == ["NAME", "KIND", "ORIGIN", "STATUS"]
    plugins = [row for row in rows if f"gridsim-der {gridsim.__version__}" in row]
    assert len(plugins) >= len(PROJECT["entry-points"]["gridsim"])
    assert {row.split()[4] for row in plugins} == {"ready"}


def test_the_default_fleet_runs(tmp_path: Path) -> None:
    done = run("--speed", 0, "--duration", "2s", "--set", "transports.0.port=0", cwd=tmp_path)
    assert "16 accepted = 16 delivered" in done.stderr


def test_the_demo_runs(tmp_path: Path) -> None:
    done = run("demo", "--duration", "10s", cwd=tmp_path)
    assert "A summer noon" in done.stderr
    assert "38 accepted = 38 delivered" in done.stderr


def test_the_schema_is_the_shipped_one(tmp_path: Path) -> None:
    shipped = (ROOT / "configs/gridsim.schema.json").read_text()
    assert run("schema", cwd=tmp_path).stdout == shipped


def test_a_plugin_of_ones_own_loads(tmp_path: Path) -> None:
    (tmp_path / "kettle.py").write_text(PLUGIN)
    (tmp_path / "home.toml").write_text(CONFIG)
    done = run("--config", "home.toml", "--duration", "2s", cwd=tmp_path)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["current_output"] for one in records] == [-2.0, -2.0]


def test_the_command_and_the_module_are_the_same(tmp_path: Path) -> None:
    version = f"gridsim {gridsim.__version__}\n"
    assert run("--version", cwd=tmp_path).stdout == version
    words = [sys.executable, "-m", "gridsim", "--version"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == version
