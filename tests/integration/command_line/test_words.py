"""The words of a command line: options, paths, completion, schemas."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.commands import (
    HOME,
    ODD,
    PLUGIN,
    ROOT,
    STDOUT,
    gridsim,
)


def test_a_dry_run_connects_nothing(tmp_path: Path) -> None:
    done = gridsim("--dry-run", "--set", "transports.0.host=192.0.2.1", cwd=tmp_path)
    assert done.returncode == 0
    assert "mqtt://192.0.2.1:1883" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("--duration", "10x"),
        ("--duration", "0"),
        ("--duration", "0.5s"),
        ("--duration", "1.5"),
        ("--duration", "-1s"),
        ("--duration", "9" * 400 + "d"),
        ("--speed", "-1"),
        ("--start", "yesterday"),
        ("--set", "transports"),
        ("--set", "transports.7.qos=1"),
        ("--set", "transports.0.qqs=1"),
        ("--log-level", "loud"),
        ("--plugin", "nowhere.py"),
        ("--config", "nowhere.toml"),
        ("--colour",),
        ("plugins", "batery"),
        ("--until", "yesterday"),
        ("play", "nowhere.jsonl"),
    ],
)
def test_a_bad_command_line_is_refused_by_name(words: Sequence[str], tmp_path: Path) -> None:
    done = gridsim(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert words[0] in done.stderr or words[-1].split("=")[0] in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a.toml",), "'a.toml' is not a command; give a configuration with --config a.toml"),
        (("run",), "there is no command 'run': gridsim --config FILE runs a configuration"),
        (
            ("validate", "a.toml"),
            "unexpected argument 'a.toml'; give a configuration with --config a.toml",
        ),
        (("validate", "more"), "unexpected argument 'more'"),
    ],
)
def test_a_word_too_many_says_where_a_configuration_belongs(
    words: Sequence[str], message: str, tmp_path: Path
) -> None:
    done = gridsim(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.endswith(f"Error: {message}\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--duration", "bogus", "validate"), "--duration is an option of a run, not of validate"),
        (("--log-json", "schema"), "--log-json is an option of a run, not of schema"),
        (("--set", "simulation.seed=1", "plugins"), "--set is an option of a run, not of plugins"),
        (("--set", "simulation.seed=-1", "validate"), "'seed' must be at least 0"),
        (("--plugin", "nowhere.py", "plugins"), "nowhere.py"),
    ],
)
def test_no_option_before_a_subcommand_is_dropped_in_silence(
    words: Sequence[str], message: str, tmp_path: Path
) -> None:
    done = gridsim(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


def test_options_before_a_subcommand_hold_for_it(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(PLUGIN.format(body="pass"))
    path = tmp_path / "odd.toml"
    path.write_text(HOME + ODD + STDOUT)
    done = gridsim("--config", path, "--plugin", tmp_path / "odd.py", "validate")
    assert done.stdout == f"{path}: no errors\n"


@pytest.mark.parametrize("table", ['[[transports]]\ntype = "file"', STDOUT + "[ledger]"])
def test_a_path_that_no_file_can_have_is_refused_before_the_run(table: str, tmp_path: Path) -> None:
    path = tmp_path / "home.toml"
    path.write_text(HOME + table + '\npath = "a\\u0000b"\n')
    done = gridsim("validate", "--config", path)
    assert done.returncode == 2
    assert "must not contain a NUL character" in done.stderr


@pytest.mark.parametrize("flag", ["--start", "--set", "--duration"])
def test_an_argument_that_is_no_utf8_is_blamed_on_itself(flag: str, tmp_path: Path) -> None:
    value = os.fsdecode(b"site.timezone=\xff" if flag == "--set" else b"\xff")
    done = gridsim(flag, value, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(flag)
    assert len(done.stderr.splitlines()) == 1


def test_validate_reports_every_error_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(
        HOME.replace("battery", "batery") + STDOUT + 'format = "jsn"\n[simulation]\nsed = 1\n'
    )
    for words in (("validate", "--config", path), ("--config", path)):
        done = gridsim(*words)
        assert done.returncode == 2
        assert f"{path}:7:8: error: " in done.stderr
        assert "did you mean 'battery'" in done.stderr
        assert f"{path}:13:10: error: " in done.stderr
        assert f"{path}:15:1: error: " in done.stderr
        assert done.stdout == ""
    path.write_text(HOME + STDOUT)
    assert gridsim("validate", "--config", path).stdout == f"{path}: no errors\n"


def test_the_plugins_and_the_schema_are_listed(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(PLUGIN.format(body="pass"))
    listed = gridsim("plugins", "--plugin", tmp_path / "odd.py").stdout
    assert any(
        line.split()[:2] == ["odd", "der"] and "odd.py" in line for line in listed.splitlines()
    )
    shown = gridsim("plugins", "odd", "--plugin", tmp_path / "odd.py").stdout
    assert shown.splitlines()[1:3] == ["", "SETTING             TYPE   DEFAULT   UNIT  DESCRIPTION"]
    schema = json.loads(gridsim("schema", "--plugin", tmp_path / "odd.py").stdout)
    assert '"odd"' in json.dumps(schema)


def test_the_shipped_schema_is_that_of_the_built_in_plugins() -> None:
    shipped = (ROOT / "configs/gridsim.schema.json").read_text()
    assert gridsim("schema").stdout == shipped, "gridsim schema > configs/gridsim.schema.json"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.toml")), ids=lambda p: p.stem)
def test_every_shipped_configuration_is_valid(path: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "MQTT_HOST=example.org\nMQTT_PORT=8883\nMQTT_USERNAME=u\nMQTT_PASSWORD=p\n"
    )
    (tmp_path / ".env").chmod(0o600)
    done = gridsim("--config", path, "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("words", "completed"), [("ver", "verify"), ("--dur", "--duration")])
def test_a_shell_completes_commands_and_flags(words: str, completed: str) -> None:
    env = {
        **os.environ,
        "_GRIDSIM_COMPLETE": "complete_bash",
        "COMP_WORDS": f"gridsim {words}",
        "COMP_CWORD": "1",
    }
    program = "import sys, gridsim.__main__ as one; sys.argv = ['gridsim']; one.main()"
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == [completed]


def test_a_copied_configuration_finds_the_schemas_that_are_written(tmp_path: Path) -> None:
    copy = tmp_path / "my.toml"
    copy.write_text((ROOT / "configs/default.toml").read_text())
    done = gridsim("schema", "--write", "--config", copy)
    assert done.returncode == 0
    named = copy.read_text().splitlines()[0].removeprefix("#:schema ")
    written = (tmp_path / named).read_text()
    assert written == (ROOT / "configs/gridsim.schema.json").read_text()
    scenario = (tmp_path / "gridsim-scenario.schema.json").read_text()
    assert scenario == (ROOT / "configs/gridsim-scenario.schema.json").read_text()
    system = (tmp_path / "gridsim-system.schema.json").read_text()
    assert system == (ROOT / "configs/gridsim-system.schema.json").read_text()
    for name in ("gridsim.schema.json", "gridsim-scenario.schema.json"):
        assert f"#:schema ./{name}" in done.stdout
    assert "a file for gridsim check in this folder: #:schema ./gridsim-system" in done.stdout


def test_one_schema_is_printed_at_a_time() -> None:
    done = gridsim("schema", "--system", "--scenario")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "--system: error: choose --scenario or --system, not both\n"
