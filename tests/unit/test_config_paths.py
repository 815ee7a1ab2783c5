"""Relative paths in a configuration are relative to its folder, wherever gridsim runs."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gridsim.api import LocalPath, LocalPathTemplate, Settings
from gridsim.config.text.report import ConfigError
from gridsim.contracts.settings import FOLDER, in_folder
from gridsim.running.plan import DEFAULT_CONFIG, Options, Plan, make_plan
from tests.fixtures.prepared import gridsim

ROOT = Path(__file__).parents[2]
HOME = """
[[projects]]
id = "HOME"
contract_threshold = 2.0
[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0
"""
EVERY = """
[simulation]
speed = 0
start = 2026-07-01T12:00:00Z
plugins = ["own.py"]
scenarios = ["faults/some.toml"]
[ledger]
path = "out/ledger.sqlite"
[weather]
type = "file"
path = "data/weather.csv"
latitude = 46.0
longitude = -66.0
[[projects]]
id = "HOME"
contract_threshold = 2.0
load = { type = "profile", path = "../shared/load.csv" }
[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0
[[transports]]
type = "file"
path = "out/{project_id}.jsonl"
[[transports]]
type = "own"
path = "own.txt"
"""
OWN = """
from gridsim.api import LocalPath, Settings, Transport, hookimpl

class Own(Transport):
    class Settings(Settings):
        path: LocalPath
        unset: LocalPath = ""
        other: LocalPath = "default.txt"

    def describe(self):
        return f"{self.settings.path} {self.settings.unset!r} {self.settings.other}"

    def connect(self):
        pass

    def write(self, batch, receipt):
        pass

    def close(self):
        pass

@hookimpl
def gridsim_register(register):
    register.transport("own", Own)
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a configuration that names files of each kind; the working folder is not it."""
    folder = tmp_path / "some" / "configs"
    for name in ("data", "faults", "../shared", "../../run"):
        (folder / name).mkdir(parents=True)
    (folder / "fleet.toml").write_text(EVERY)
    (folder / "own.py").write_text(OWN)
    (folder / "faults" / "some.toml").write_text(
        '[[faults]]\ntype = "offline"\nid = "F"\nstart = 2026-07-01T13:00:00Z\nduration_s = 5\n'
    )
    (folder / "data" / "weather.csv").write_text(
        "time,ghi,temperature\n2026-07-01T00:00Z,0,10\n2026-07-02T00:00Z,0,10\n"
    )
    (folder / "../shared/load.csv").write_text("time,kw\n00:00,1\n12:00,2\n")
    monkeypatch.chdir(tmp_path / "run")
    return folder


def plan(config: Path, *overrides: str) -> Plan:
    return make_plan(Options(config=config, overrides=overrides), files="none")


@pytest.mark.parametrize("written", ["absolute", "relative"])
def test_every_path_is_relative_to_the_configuration(elsewhere: Path, written: str) -> None:
    config = elsewhere / "fleet.toml"
    if written == "relative":
        config = Path("..", "some", "configs", "fleet.toml")
    base = config.parent
    made = plan(config)
    assert made.ledger is not None
    assert made.ledger.path == base / "out/ledger.sqlite"
    [file, own] = [transport.transport for transport in made.transports]
    settings: Any = file.settings
    assert settings.path == str(base / "out/{project_id}.jsonl")
    assert own.describe() == f"{base / 'own.txt'} '' {base / 'default.txt'}"
    scenario = made.configuration.scenario
    weather: Any = scenario.weather.settings
    assert weather.path == str(base / "data/weather.csv")
    assert scenario.loads[0].members.settings[0].path == str(base.parent / "shared/load.csv")
    assert [fault.id for fault in scenario.faults] == ["F"]


def test_a_run_from_another_folder_leaves_its_files_beside_the_configuration(
    elsewhere: Path, tmp_path: Path
) -> None:
    words = ("--duration", "2s", "--set", "transports.0.path=set.jsonl")
    done = gridsim("--config", "../some/configs/fleet.toml", *words)
    assert done.returncode == 0, done.stderr
    assert list(Path().iterdir()) == []
    assert len((elsewhere / "set.jsonl").read_text().splitlines()) == 2
    assert (elsewhere / "out" / "ledger.sqlite").stat().st_size > 0


def test_a_missing_file_is_named_by_the_path_that_was_tried(elsewhere: Path) -> None:
    options = Options(config=elsewhere / "fleet.toml", overrides=("weather.path=no/such.csv",))
    with pytest.raises(ConfigError, match=rf"{elsewhere}/no/such\.csv: No such file"):
        make_plan(options)


def test_placeholders_are_relative_to_the_configuration_too(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CA", "keys/ca.pem")
    (elsewhere / "mqtt.toml").write_text(
        HOME + '[[transports]]\ntype = "mqtt"\nhost = "b"\ntls = "on"\nca_file = "${CA}"\n'
        'cert_file = "/etc/one.pem"\n'
    )
    settings = plan(elsewhere / "mqtt.toml").transports[0].transport.settings
    assert settings.ca_file == str(elsewhere / "keys/ca.pem")
    assert settings.cert_file == "/etc/one.pem"
    assert settings.key_file == ""


def test_the_default_configuration_uses_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = plan(DEFAULT_CONFIG, 'transports=[{type="file",path="x.jsonl"}]', "ledger={}")
    assert made.transports[0].transport.settings.path == "x.jsonl"
    assert made.ledger is not None
    assert made.ledger.path == Path("out/ledger.sqlite")


@pytest.mark.skipif(not os.path.exists("/dev/stdin"), reason="needs /dev/stdin")
def test_a_configuration_through_a_pipe_uses_the_working_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "gridsim", "--config", "/dev/stdin"),
            *("--speed", "0", "--duration", "1s"),
        ],
        input=HOME + '[[transports]]\ntype = "file"\npath = "out.jsonl"\n',
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "configs").glob("*.toml")))
def test_the_shipped_configurations_write_to_out_of_the_checkout(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for variable in ("MQTT_HOST", "MQTT_USERNAME", "MQTT_PASSWORD"):
        monkeypatch.setenv(variable, "localhost")
    made = plan(Path("configs", name))
    paths = [
        transport.transport.settings.path
        for transport in made.transports
        if transport.name.startswith("file")
    ]
    if made.ledger is not None:
        paths.append(str(made.ledger.path))
    assert all(path.startswith("out/") for path in paths), paths


@pytest.mark.parametrize(
    ("folder", "path", "expected"),
    [
        ("configs", "out/x", "configs/out/x"),
        ("configs", "../out/x", "out/x"),
        ("configs", "./x", "configs/x"),
        ("configs", "..", "."),
        ("configs", ".", "configs/"),
        ("configs", "out/", "configs/out/"),
        ("a/b", "../../x", "x"),
        ("a", "../../x", "../x"),
        ("a", "b/../x", "a/b/../x"),
        ("a", ".hidden", "a/.hidden"),
        ("a", "..x/y", "a/..x/y"),
        ("/etc/a", "../x", "/etc/x"),
        ("a", "/abs", "/abs"),
        ("a", "", ""),
        ("", "x", "x"),
    ],
)
def test_a_path_is_shown_as_it_is_seen_from_the_working_folder(
    folder: str, path: str, expected: str
) -> None:
    assert in_folder(folder, path) == expected


def test_a_link_to_a_folder_is_not_shortened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "far" / "configs").mkdir(parents=True)
    (tmp_path / "configs").symlink_to(tmp_path / "far" / "configs")
    monkeypatch.chdir(tmp_path)
    assert in_folder("configs", "../out/x") == "configs/../out/x"


def test_braces_of_the_folder_are_not_placeholders() -> None:
    class Paths(Settings):
        plain: LocalPath
        template: LocalPathTemplate

    text = '{"plain": "x", "template": "{date}"}'
    made = Paths.model_validate_json(text, context={FOLDER: "a{b}"})
    assert (made.plain, made.template) == ("a{b}/x", "a{{b}}/{date}")


@pytest.mark.parametrize(
    ("path", "leads_out"),
    [
        ("out/{date}.jsonl", False),
        ("new/folder/x", False),
        ("inner/x", False),  # a link that stays inside
        ("a/../out/x", False),
        ("../out/x", False),  # the author sees where it is
        ("/tmp/x", False),
        ("link/x", True),
        ("link/{date}/x", True),
        ("a/../../x", True),
        ("../home/../../x", True),
        ("..{date}/x", False),
        ("{date}/link/x", False),  # found when the file is opened
        ("a{{b}}/x", True),
    ],
)
def test_a_template_stays_under_its_folder(tmp_path: Path, path: str, leads_out: bool) -> None:
    class Paths(Settings):
        template: LocalPathTemplate

    home, far = tmp_path / "home", tmp_path / "far"
    (home / "out").mkdir(parents=True)
    far.mkdir()
    (home / "link").symlink_to(far)
    (home / "a{b}").symlink_to(far)
    (home / "inner").symlink_to(home / "out")
    refused = pytest.raises(ValidationError, match="leads out of ") if leads_out else nullcontext()
    with refused:
        Paths.model_validate({"template": path}, context={FOLDER: str(home)})
