"""The plugin host: local files, broken and doubled plugins, misspelt hooks."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gridsim.api import MEASURANDS
from gridsim.config.tables.core import TABLES
from gridsim.errors import UsageError
from gridsim.plugins.host import PluginHost
from gridsim.plugins.kinds import KINDS
from gridsim.plugins.listing import details, overview

GIZMO = '''
from dataclasses import dataclass
from gridsim.api import Device, DerSettings, hookimpl

@dataclass
class State:
    heat: float = 1.5

class Gizmo(Device):
    """Draws a kilowatt."""
    def step(self, tick):
        return -1.0

@hookimpl
def gridsim_register(register):
    register.der("{name}", Gizmo)
'''

Write = Callable[..., Path]


@pytest.fixture
def plugin(tmp_path: Path) -> Write:
    def write(text: str = GIZMO, *, file: str = "gizmo.py", name: str = "gizmo") -> Path:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{name}", name))
        return path

    return write


def installed() -> PluginHost:
    host = PluginHost()
    host.load_installed()
    return host


def test_the_built_in_plugins_are_found_like_any_other() -> None:
    registry = installed().registry
    assert registry.broken == []
    assert {"battery", "solar", "ev_charger"} <= set(registry.names("der"))
    assert {"mqtt", "stdout", "file"} <= set(registry.names("transport"))
    assert {entry.owner.split()[0] for entry in registry} == {"gridsim-der"}


def test_a_local_file_registers_its_types(plugin: Write) -> None:
    host = PluginHost()
    host.load_local(plugin())
    entry = host.registry.find("der", "gizmo")
    assert entry is not None
    assert entry.type.reported_type == "gizmo"
    assert entry.owner.endswith("gizmo.py")


def test_what_a_local_file_defines_can_be_pickled(plugin: Write) -> None:
    host = PluginHost()
    host.load_local(plugin(file="stateful.py", name="stateful"))
    module = next(m for n, m in sys.modules.items() if n.startswith("gridsim_local_stateful"))
    assert pickle.loads(pickle.dumps(module.State(2.0))) == module.State(2.0)


def test_a_file_that_was_changed_is_loaded_again(plugin: Write) -> None:
    """In a notebook, say; at once, in the second in which it was written, and of the same size."""
    for name in ("one", "two"):
        host = PluginHost()
        host.load_local(plugin(name=name))
        assert host.registry.names("der") == [name]


def test_a_folder_is_loaded_whole_and_a_package_as_one(plugin: Write, tmp_path: Path) -> None:
    plugin(file="folder/one.py", name="one")
    plugin(file="folder/two.py", name="two")
    plugin("raise RuntimeError('private')", file="folder/_helper.py")
    plugin("from .inner import gridsim_register", file="package/__init__.py")
    plugin(file="package/inner.py", name="three")
    host = PluginHost()
    host.load_local(tmp_path / "folder")
    host.load_local(tmp_path / "package")
    assert host.registry.names("der") == ["one", "three", "two"]


def test_the_same_file_twice_is_loaded_once(plugin: Write) -> None:
    host = PluginHost()
    path = plugin()
    host.load_local(path)
    host.load_local(path)
    assert host.registry.names("der") == ["gizmo"]


def test_two_owners_of_a_name_are_both_named(plugin: Write) -> None:
    host = installed()
    with pytest.raises(UsageError, match=r"der 'battery': gridsim-der .* and .*mine\.py"):
        host.load_local(plugin(file="mine.py", name="battery"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def oops(:", r"bad\.py could not be loaded: line 1: SyntaxError"),
        ("\n\nimport not_there_at_all", r"line 3: ModuleNotFoundError"),
        ("x = 1", "has no function gridsim_register marked with @hookimpl"),
        (
            "from gridsim.api import hookimpl\n@hookimpl\ndef gridsim_registr(register): ...",
            "no hook 'gridsim_registr'; did you mean 'gridsim_register'",
        ),
        (
            "from gridsim.api import hookimpl\n@hookimpl\ndef gridsim_register(register):\n"
            "    register.der('x', int)",
            r"the der 'x': it must be a class derived from gridsim\.api\.Fleet",
        ),
        (
            "from gridsim.api import hookimpl\n@hookimpl\ndef gridsim_register(register):\n"
            "    register.dre('x', int)",
            "gridsim_register failed: AttributeError",
        ),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(plugin: Write, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PluginHost().load_local(plugin(text, file="bad.py"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no plugin file"):
        PluginHost().load_local(tmp_path / "nowhere.py")


def test_a_broken_installed_plugin_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "ruin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ruin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gridsim]\naaa = ruin_module\n")
    (tmp_path / "ruin_module.py").write_text("import a_library_that_is_not_there")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = installed().registry
    assert "battery" in registry.names("der")
    [broken] = registry.broken
    assert (broken.name, broken.owner) == ("aaa", "ruin 1.0")
    assert "ModuleNotFoundError" in broken.reason
    assert any("ruin 1.0" in line and "broken" in line for line in overview(registry, {}))
    with pytest.raises(UsageError, match=r"'aaa' of ruin 1\.0 is broken: ModuleNotFoundError"):
        list(details(registry, "aaa", {}))


def test_the_settings_of_a_plugin_are_shown_with_type_default_unit_and_text() -> None:
    lines = list(details(installed().registry, "battery", {}))
    [line] = [line for line in lines if line.startswith("nameplate_capacity")]
    assert line.split()[:4] == ["nameplate_capacity", "float", "required", "kW"]
    assert "rated power" in line


def test_every_plugin_has_a_line_with_its_first_sentence(plugin: Write) -> None:
    text = GIZMO.replace("Draws a kilowatt.", "Draws a\n    kilowatt. It never stops.\n\n    More.")
    host = installed()
    host.load_local(plugin(text))
    lines = list(overview(host.registry, TABLES))
    [line] = [line for line in lines if line.startswith("gizmo ")]
    assert line.split()[1] == "der"
    assert line.endswith("  Draws a kilowatt.")
    for entry in host.registry:
        assert any(line.startswith(f"{entry.name} ") and line.endswith(".") for line in lines)
    [line] = [line for line in lines if line.startswith("transports.format ")]
    assert line.endswith("  how readings are written")


def test_the_tables_of_the_core_are_listed_with_their_settings() -> None:
    registry = installed().registry
    lines = list(overview(registry, TABLES))
    below = lines[lines.index("") + 1 :]
    end = below.index("")
    below, measurands = below[:end], below[end + 1 :]
    assert [line.split()[0] for line in measurands] == ["MEASURAND", *MEASURANDS]
    assert below[0].split() == ["TABLE", "DESCRIPTION"]
    listed = [line.split()[0] for line in below[1:]]
    assert listed == sorted(set(TABLES) | {kind.table for kind in KINDS.values() if kind.table})
    for path, core in TABLES.items():
        shown = list(details(registry, path, TABLES))
        for setting in core.settings.model_fields:
            assert any(line.startswith(f"{setting} ") for line in shown), (path, setting)
    projects = "\n".join(details(registry, "projects", TABLES))
    assert "`load` names a load: constant, household, profile." in projects
    assert "`ders` names a DER: battery, ev_charger," in projects
    assert (
        "`baseline` names a baseline: constant, counterfactual, expectation, like_days, "
        in projects
    )
    assert "`type` names a weather: clear, file, synthetic." in "\n".join(
        details(registry, "weather", TABLES)
    )


def test_a_plugin_and_a_table_of_one_name_are_both_shown(plugin: Write) -> None:
    host = PluginHost()
    host.load_local(plugin(file="events.py", name="events"))
    lines = list(details(host.registry, "events", TABLES))
    assert lines[0].startswith("events (der), ")
    assert "events (table of the configuration): demand-response events, and limits" in lines


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_the_last_column_is_wrapped_to_the_terminal(width: int) -> None:
    registry = installed().registry
    for lines, whole in (
        (overview(registry, TABLES, width), overview(registry, TABLES)),
        (details(registry, "ledger", TABLES, width), details(registry, "ledger", TABLES)),
    ):
        wrapped = list(lines)
        if width >= 80:
            assert max(map(len, wrapped)) <= width
        assert " ".join(wrapped).split() == " ".join(whole).split()


def test_a_table_that_is_misspelt_has_a_suggestion() -> None:
    with pytest.raises(UsageError, match="no plugin 'simulaton'; did you mean 'simulation'"):
        list(details(installed().registry, "simulaton", TABLES))


def test_an_unknown_plugin_has_a_suggestion() -> None:
    with pytest.raises(UsageError, match="no plugin 'batery'; did you mean 'battery'"):
        list(details(installed().registry, "batery", {}))
