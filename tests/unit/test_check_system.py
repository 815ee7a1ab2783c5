"""The file of a user's system: its settings, and an error with its place for each mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import tomli
from jsonschema import Draft202012Validator

from gridsim.check.days import shipped_days
from gridsim.check.main import CheckOptions, check
from gridsim.check.schema import build_system
from gridsim.check.system import SystemUnderTest, read_system
from gridsim.errors import UsageError
from gridsim.running.plan import load_plugins
from gridsim.text.progress import Progress

ROOT = Path(__file__).parents[2]
EXPORT = "[system]\nexport_command = 'true'\n"


MISTAKES = (
    ("", "there is nothing to compare: give 'export_command', 'export_topic' or"),
    ("[system]\nexport = 'x'\n", ":2:1: error: 'export' is one of two settings"),
    (
        EXPORT + "export_topic = 'a/#'\n",
        ":3:16: error: give 'export_command' or 'export_topic', not both",
    ),
    (
        EXPORT + "days = ['heat-wvae']\n",
        ":3:9: error: there is no such day: 'heat-wvae'; gridsim check --list shows the days "
        "that are shipped; did you mean 'heat-wave'?",
    ),
    (EXPORT + "days = ['none.toml']\n", ":3:9: error: there is no such file: 'none.toml'"),
    (EXPORT + "days = ['heat-wave', 'heat-wave']\n", "the day 'heat-wave' is there twice"),
    (EXPORT + "days = []\n", ":3:8: error: 'days' "),
    (
        EXPORT + "export_comand = 'x'\n",
        ":3:1: error: 'export_comand' is not a setting of [system]; did you mean "
        "'export_command'?",
    ),
    (EXPORT + "start_command = 'x'\n", ":3:17: error: 'start_command' needs 'reset_command'"),
    (EXPORT + "settle_s = -1\n", ":3:12: error: 'settle_s' must be at least 0"),
    (EXPORT + "assume_zone = 'Berlin'\n", "there is no time zone 'Berlin'"),
    (
        EXPORT + "fields = { der = 'device' }\n",
        "'der' is not a field of the record; did you mean 'der_id'?",
    ),
    (EXPORT + "[promises]\nlost = -1\n", ":4:8: error: 'lost' must be at least 0"),
    (EXPORT + "[promises]\nlsot = 1\n", "did you mean 'lost'?"),
    (
        EXPORT + "[promises.heat-wvae]\nlost = 1\n",
        ":3:1: error: 'heat-wvae' is not a day of this file; did you mean 'heat-wave'?",
    ),
    (EXPORT + "[promises.heat-wave]\nkwh = 'x'\n", ":4:7: error: 'kwh' must be a number"),
    (EXPORT + "[promisses]\n", ":3:1: error: 'promisses' is not a table of my-system.toml"),
    (EXPORT + "[system.broker]\nport = 70000\n", ":4:8: error: 'port' must be at most 65535"),
    (
        EXPORT + "[system.broker]\npassword = 'hunter2'\n",
        ":4:12: error: 'password' is a secret and must not be written here",
    ),
    (EXPORT + "[system.broker]\ntype = 'mqqt'\n", "did you mean 'mqtt'?"),
    (EXPORT + "export_command = \n", "my-system.toml:3:"),
)  # fmt: skip
NOT_IN_A_SCHEMA = ("none.toml", "Berlin", "[promises.heat-wvae]", "export_command = \n")
"""Mistakes that depend on other files, on the installed time zones, or that are not TOML."""


def read(folder: Path, text: str) -> SystemUnderTest:
    (folder / "my-system.toml").write_text(text)
    return read_system(folder / "my-system.toml", load_plugins(()).registry)


def refused(folder: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(folder, text)
    return str(caught.value)


def test_without_days_all_shipped_ones_are_run_with_strict_promises(tmp_path: Path) -> None:
    system = read(tmp_path, EXPORT)
    assert len(system.days) == 14
    assert [day.name for day in system.days] == sorted(shipped_days())
    assert (system.name, system.broker, system.folder) == ("my-system", None, tmp_path)
    for promises in system.promises.values():
        assert promises.model_dump() == {
            "lost": 0, "duplicates": 0, "changed": 0, "unknown": 0, "kwh": 0.0
        }  # fmt: skip


def test_a_day_has_its_own_promises_beside_those_of_all(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").touch()
    system = read(
        tmp_path,
        EXPORT
        + 'days = ["heat-wave", "mine.toml"]\n'
        + "[promises]\nlost = 3\nkwh = 0.5\n[promises.mine]\nlost = 0\n"
        + "[promises.late-flood]\nlost = 9\n",
    )
    assert [(day.name, day.shipped) for day in system.days] == [
        ("heat-wave", True),
        ("mine", False),
    ]
    assert {name: (one.lost, one.kwh) for name, one in system.promises.items()} == {
        "heat-wave": (3, 0.5),
        "mine": (0, 0.5),
    }


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_a_mistake_has_its_place_and_says_what_to_do(
    tmp_path: Path, text: str, expected: str
) -> None:
    message = refused(tmp_path, text)
    assert expected in message
    assert "hunter2" not in message


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return build_system(load_plugins(()).registry)


def marked(schema: dict[str, Any], text: str) -> list[str]:
    found: list[Any] = list(Draft202012Validator(schema).iter_errors(tomli.loads(text)))
    return [error.message for error in found]


def test_the_schema_is_the_shipped_one_and_marks_the_same_mistakes(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    written = json.loads((ROOT / "configs/gridsim-system.schema.json").read_text())
    assert written == json.loads(json.dumps(schema))
    texts = [text for text, _ in MISTAKES if not any(part in text for part in NOT_IN_A_SCHEMA)]
    assert len(texts) == len(MISTAKES) - 4
    assert [text for text in texts if not marked(schema, text)] == []


def test_the_schema_takes_what_the_file_may_have(schema: dict[str, Any]) -> None:
    example = (ROOT / "examples/aggregator/my-system.toml").read_text()
    assert example.startswith("#:schema ../../configs/gridsim-system.schema.json\n")
    page = (ROOT / "docs/report-card.md").read_text()
    samples = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert any(sample.startswith("#:schema ./gridsim-system.schema.json\n") for sample in samples)
    for text in (
        example,
        *samples,
        EXPORT + "export_topic = ''\nstart_command = ''\nsettle_s = '${SETTLE:-3}'\n",
        EXPORT + "days = ['heat-wave', 'own.toml', '${DAY}']\n[promises.own]\nlost = 1\n",
        EXPORT + "[promises]\nduplicates = 'any'\nkwh = 0.5\n[promises.heat-wave]\nkwh = 1\n",
        EXPORT + "[system.broker]\ntype = 'mqtt'\npassword = '${P}'\nframing = 'project'\n",
    ):
        assert marked(schema, text) == [], text


def test_variables_of_commands_are_left_to_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQTT_PASSWORD", "s3cret")
    text = (
        '[system]\nexport_command = "cp x ${GRIDSIM_RECORDS}"\n'
        '[system.broker]\nusername = "u"\npassword = "${MQTT_PASSWORD}"\nca_file = "ca.pem"\n'
    )
    system = read(tmp_path, text)
    assert system.settings.export_command == "cp x $GRIDSIM_RECORDS"
    assert system.broker is not None
    assert system.broker.filled == {"password"}
    assert system.broker.table["ca_file"] == str(tmp_path / "ca.pem")
    file = read(tmp_path, EXPORT + "[system.broker]\ntype = 'file'\npath = '{date}.jsonl'\n")
    assert file.broker is not None
    assert file.broker.table["path"] == str(tmp_path / "{date}.jsonl")


def run(path: Path, *only: str) -> str:
    with pytest.raises(UsageError) as caught:
        check(CheckOptions(path, only), Progress(), lambda line: None)
    return str(caught.value)


def test_a_day_of_ones_own_that_is_not_valid_ends_the_check_before_it_begins(
    tmp_path: Path,
) -> None:
    read(tmp_path, EXPORT + "days = ['heat-wave']\n")
    path = tmp_path / "my-system.toml"
    assert run(path, "cold-spel").startswith(
        f"--only: error: {path} has no day 'cold-spel'; there are"
    )
    assert run(path, "heat-wvae").endswith("did you mean 'heat-wave'?")
    assert run(tmp_path / "none.toml").endswith("none.toml: there is no such file")
    (tmp_path / "own.toml").write_text("[simulation]\nduration_s = 90\ntick_s = 60\n")
    read(tmp_path, EXPORT + "days = ['own.toml']\n")
    assert "own.toml:2:14: error: 'duration_s' must be a whole number of ticks of 60 s" in run(path)
    (tmp_path / "own.toml").write_text(
        '[[projects]]\nid = "A"\n[[projects.ders]]\nid = "B"\ntype = "battery"\n'
        "nameplate_capacity = 1.0\nenergy_capacity_kwh = 1.0\n"
    )
    assert run(path).endswith("the day has no end: give 'duration_s' under [simulation]")
