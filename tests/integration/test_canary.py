"""A secret is in no output of a run, whatever fails in it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.fixtures.canary import CANARY, PLAIN_CANARY, assert_no_canary, forms
from tests.fixtures.config.fakes import MINIMAL, report, with_radio
from tests.fixtures.prepared import gridsim
from tests.integration.commands import HOME
from tests.integration.conftest import Brokers

LEAKY = Path(__file__).parents[1] / "fixtures" / "leaky.py"
ALL = """
[simulation]
on_error = "skip_fleet"

[[projects.ders]]
id = "LEAKY"
type = "leaky"
nameplate_capacity = 5.0
key = "${GRIDSIM_CANARY}"

[[faults]]
type = "leaky"
key_file = "secret"

[ledger]

[[transports]]
type = "file"
path = "out/readings.jsonl"

[[transports]]
type = "file"
path = "out/never"
format = { type = "leaky", key_file = "secret" }

[[sources]]
type = "leaky"
key_file = "secret"

[[views]]
type = "web"
port = 0

[[views]]
type = "leaky"
key_file = "secret"
"""
TRANSPORT = """
[[transports]]
type = "leaky"
startup = "retry"
stall_timeout_s = 0.2
key_file = "secret"
place = "{}"
"""


def run(folder: Path, text: str, *words: object, **environment: str) -> str:
    """Run a configuration with the canary in the environment and in a file; search all outputs."""
    (folder / "secret").write_text(f"{CANARY}\n")
    (folder / "secret").chmod(0o600)
    (folder / "c.toml").write_text(text)
    env = {
        **os.environ,
        "GRIDSIM_CANARY": CANARY,
        "GRIDSIM_LEAKY_FOLDER": str(folder),
        **environment,
    }
    words = words or ("--duration", "3s", "--speed", 0)
    done = gridsim("--config", folder / "c.toml", "--plugin", LEAKY, *words, env=env)
    (folder / "stdout").write_text(done.stdout)
    (folder / "stderr").write_text(done.stderr)
    assert_no_canary(folder, but=("secret", "rows.csv"))
    return done.stderr


@pytest.mark.parametrize("shown", list(forms()))
def test_the_search_finds_a_canary_in_every_form(shown: bytes, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"before " + shown + b" after")
    with pytest.raises(AssertionError, match="log"):
        assert_no_canary(tmp_path)


def test_the_search_finds_a_canary_in_a_database_and_not_elsewhere(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.sqlite")) as database:
        database.execute("create table t(a)")
        database.execute("insert into t values(?)", ("x" * 9000,))
        database.commit()
        assert_no_canary(tmp_path)
        database.execute("insert into t values(?)", ("x" * 4000 + CANARY + "y" * 9000,))
        database.commit()
    with pytest.raises(AssertionError, match="sqlite"):
        assert_no_canary(tmp_path)


def test_plugins_of_all_kinds_that_show_their_secret(tmp_path: Path) -> None:
    transports = "".join(TRANSPORT.format(place) for place in ("connect", "write", "close", ""))
    said = run(tmp_path, HOME + ALL + transports, "--duration", "4s", "--speed", 0)
    assert "leaky" in said
    assert said.count("****") > 20
    assert (tmp_path / "page-api-v1-status").exists()


@pytest.mark.parametrize("place", ["settings", "made", "describe"])
@pytest.mark.parametrize("words", [("validate",), ("--dry-run",)])
def test_settings_and_plans_that_show_a_secret(
    tmp_path: Path, place: str, words: tuple[str, ...]
) -> None:
    said = run(tmp_path, HOME + TRANSPORT.format(place), *words)
    assert "****" in said or (words, place) == (("validate",), "describe")


@pytest.mark.parametrize(
    "lines",
    [
        "pin = '${CANARY}'\nretries = 99",
        "pin = '${CANARY}'\npon = 'x'",
        "pin = 'x${CANARY}'",
        "pin = ['${CANARY}']",
        "pin = '${CANARY}'\npin_file = 'secret'",
        "pin_file = 'secret'\nretries = '${CANARY}'",
        "host = 'mqtt://ann:${CANARY_TOKEN}@host'\nretries = -1",
        "port = '${CANARY_PASSWORD}'",
        "pin = '${CANARY}'\nwill = { key = '${CANARY}' }",
        "pin_file = 'secret'\nwill = { topic = 'a', key_file = 'secret', qos = 9 }",
        "pin = '${CANARY}' '",
        'password = "Zq7canary\\"',
        "[defaults.radio]\npin_file = 'secret'\npan = 1",
    ],
)
def test_errors_of_a_configuration_beside_a_secret(tmp_path: Path, lines: str) -> None:
    (tmp_path / "secret").write_text(CANARY)
    variables = dict.fromkeys(("CANARY", "CANARY_TOKEN", "CANARY_PASSWORD"), CANARY)
    found = report(tmp_path, with_radio(lines), environment=variables)
    assert "error:" in found
    assert_no_canary(found)


def test_flags_of_the_command_line_beside_a_secret(tmp_path: Path) -> None:
    found = report(
        tmp_path,
        MINIMAL,
        overrides=[
            f"transports.0.pin={CANARY}",
            "transports.0.pin=${CANARY}",
            f"transports.0={{type='radio', pin='{PLAIN_CANARY}', retries=10}}",
        ],
        environment={"CANARY": CANARY},
    )
    assert_no_canary(found)


@pytest.mark.mosquitto
@pytest.mark.parametrize(
    ("listener", "settings"),
    [
        ("locked", 'username = "fleet"\npassword_file = "secret"'),
        ("locked", 'username = "fleet"\npassword_file = "secret"\nprotocol = "5"'),
        ("tls", 'username = "fleet"\npassword = "${GRIDSIM_CANARY}"\ntls = "on"'),
        ("plain", 'username = "fleet"\npassword_file = "secret"\ntls = "on"'),
        ("locked", 'connections = "der"\ncredentials_file = "rows.csv"'),
    ],
    ids=["refused", "refused-5", "not-trusted", "no-tls", "credentials"],
)
def test_a_broker_that_refuses_the_secret(
    tmp_path: Path, brokers: Brokers, listener: str, settings: str
) -> None:
    rows = f'der_id,username,password\nHOME_BAT,fleet,"{PLAIN_CANARY}"\n'
    (tmp_path / "rows.csv").write_text(rows)
    text = HOME + '\n[ledger]\n[[transports]]\ntype = "mqtt"\nhost = "127.0.0.1"\n'
    text += f"port = {brokers.ports[listener]}\n{settings}\n"
    said = run(tmp_path, text, "--duration", "2s", "--speed", 0, "--log-level", "debug")
    assert "cannot connect" in said or "never connected" in said
