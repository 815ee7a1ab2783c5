"""`gridsim init`: every fleet with every destination runs, and every key has a comment."""

from __future__ import annotations

import os
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import tomli

from gridsim.contracts.settings import Unit
from gridsim.errors import UsageError
from gridsim.plugins.kinds import KINDS
from gridsim.running.plan import Options, find_plugins, make_plan
from gridsim.simulation.step import Simulation
from gridsim.templates.choices import FLEETS, WIRES, Choices
from gridsim.templates.configuration import check_text, text_of, warning, write
from tests.fixtures.prepared import gridsim

WIRED: list[dict[str, Any]] = [
    {"wire": "embedded"},
    {"wire": "embedded", "framing": "project", "port": 1999},
    {"wire": "mqtt", "host": "broker.example", "port": 8883, "tls": "on"},
    {"wire": "mqtt", "host": "::1"},
    {"wire": "stdout"},
    {"wire": "stdout", "format": "csv"},
    {"wire": "file", "path": 'a "b" \\ c.jsonl'},
    {"wire": "file", "format": "csv"},
]


@pytest.mark.parametrize("fleet", FLEETS)
def test_every_destination_is_valid_and_its_first_readings_are_encoded(
    fleet: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    for wired in WIRED:
        choices = Choices(fleet=fleet, count=2, timezone="Europe/Berlin", **wired)
        path.write_text(text_of(choices, "mine.toml"))
        plan = make_plan(Options(path))
        batch = Simulation(plan.configuration.scenario).step()
        [transport] = plan.transports
        bodies = transport.format.encode(batch).bodies
        assert len(bodies) == choices.messages_per_s, wired
        assert plan.configuration.timezone == "Europe/Berlin"
        plan.close()


def test_every_combination_of_fleet_and_destination_is_tested() -> None:
    assert {one["wire"] for one in WIRED} == set(WIRES)


@pytest.mark.parametrize(("fleet", "wire"), list(product(FLEETS, WIRES)))
def test_every_key_has_a_comment_with_its_unit(fleet: str, wire: str) -> None:
    text = text_of(Choices(fleet, wire=wire, host="b" if wire == "mqtt" else None), "mine.toml")
    units = {"degrees": "deg", "kWh per year": "kWh"}
    table, types = "", dict[str, str]()
    data = tomli.loads(text)
    assert data["simulation"]["seed"] == 42
    registry = find_plugins(None, ())
    for line in text.splitlines():
        assert len(line) <= 100, line
        if found := re.fullmatch(r"\[+(.*?)\]+", line):
            table = found[1]
        elif found := re.fullmatch(r"(\w+) = (.*?) +# (.+)", line):
            key, value, comment = found.groups()
            types[table] = value.strip('"') if key == "type" else types.get(table, "")
            kind = next((one for one in KINDS.values() if one.table == table), None)
            entry = kind and registry.find(kind.name, types[table])
            settings = entry.type.Settings if entry else None
            own = settings and settings.model_fields.get(key)
            for unit in (
                one.name for one in (own.metadata if own else ()) if isinstance(one, Unit)
            ):
                words = [unit, *(word for word, name in units.items() if name == unit)]
                if unit not in ("1", "1/d", "V"):
                    assert any(word in comment for word in words), (line, unit)
        else:
            assert not line or line.startswith("#"), f"no comment: {line}"
    assert table == "views"


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        (Choices("houses"), "--fleet: 'houses' is not one of homes, depot, solar-park, feeder"),
        (Choices(wire="kafka"), "--to: 'kafka' is not one of embedded, mqtt, stdout, file"),
        (Choices(count=0), "--count: must be from 1 to 100,000, not 0"),
        (Choices(count=100_001), "--count: must be from 1 to 100,000, not 100,001"),
        (Choices(wire="mqtt"), "--to mqtt: needs --host"),
        (Choices(wire="mqtt", host='a"b'), "--host: 'a\"b' is not a name or address"),
        (Choices(wire="mqtt", host="b", port=0), "--port: must be from 1 to 65535, not 0"),
        (Choices(wire="mqtt", host="b", port=65_536), "--port: must be from 1 to 65535"),
        (Choices(wire="stdout", port=1), "--port: has no meaning with --to stdout"),
        (Choices(host="b"), "--host: has no meaning with --to embedded"),
        (Choices(wire="mqtt", host="b", path="x"), "--path: has no meaning with --to mqtt"),
        (Choices(wire="file", path="a\nb"), "--path: 'a\\nb' is not the name of a file"),
        (Choices(format="xml"), "--format: 'xml' is not one of json, csv"),
        (Choices(wire="stdout", format="csv", framing="project"), "--framing project: needs"),
        (Choices(latitude=1.0), "--latitude, --longitude: give both, or neither"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(choices: Choices, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        text_of(choices, "mine.toml")
    assert str(refused.value).startswith(f"gridsim init: error: {says}")


def test_what_the_configuration_refuses_is_an_error_too() -> None:
    text = text_of(Choices(timezone="Mars/Base", latitude=91.0, longitude=0.0), "mine.toml")
    with pytest.raises(UsageError) as refused:
        check_text(text, "mine.toml")
    assert str(refused.value).startswith("mine.toml:17:12: error: 'latitude' must be at most 90")
    assert "Mars/Base" in str(refused.value)


def test_the_embedded_broker_is_not_given_more_than_it_takes() -> None:
    assert warning(Choices(count=1666)) == ""
    assert "this fleet sends 5,001" in warning(Choices(count=1667))
    assert warning(Choices(count=1667, framing="project")) == ""
    assert warning(Choices(count=1667, wire="mqtt", host="b")) == ""


def test_the_command_writes_once_and_replaces_by_force(tmp_path: Path) -> None:
    first = gridsim("init", "my home.toml", "--fleet", "depot", "--host", "b", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines() == [
        "my home.toml written: a depot of chargers with a battery.",
        "Readings go to your own MQTT broker. Next:",
        "  gridsim --config 'my home.toml'",
        "  gridsim plot 'my home.toml'",
    ]
    written = (tmp_path / "my home.toml").read_text()
    again = gridsim("init", "my home.toml", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == (
        "my home.toml: error: the file already exists and was not changed; name another, or "
        "replace "
        "it with --force\n"
    )
    assert (tmp_path / "my home.toml").read_text() == written
    write("x = 1\n", tmp_path / "my home.toml", force=True)
    assert (tmp_path / "my home.toml").read_text() == "x = 1\n"


def test_questions_are_asked_on_a_terminal_alone(tmp_path: Path) -> None:
    import pty
    import subprocess
    import sys

    answers = b"mqtt\n3\n4\n127.0.0.1\n\nten\noff\n"
    main, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "gridsim", "init"],
        cwd=tmp_path,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        os.write(main, answers)
        shown = b""
        try:
            while part := os.read(main, 4096):
                shown += part
        except OSError:
            pass
        os.close(main)
    assert process.returncode == 0, shown
    assert b"'ten' is not one of 1 to 3" in shown
    made = tomli.loads((tmp_path / "gridsim.toml").read_text())
    assert made["projects"][0]["id"] == "PARK"
    assert made["projects"][0]["ders"][0]["count"] == 4
    assert made["transports"][0]["host"] == "127.0.0.1"
    assert made["transports"][0]["port"] == 1883
    assert made["transports"][0]["tls"] == "off"


@pytest.mark.parametrize("name", [".", ".."])
def test_a_folder_is_refused_with_and_without_force(name: str, tmp_path: Path) -> None:
    found = gridsim("init", name, "--force", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith(f"{name}: error: is a folder; name a file")
