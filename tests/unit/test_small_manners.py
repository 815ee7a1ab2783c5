"""The edges of the command line: full outputs, many errors, hostile names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gridsim.config.tables.identifiers import template
from gridsim.contracts.part_status import SourceStatus
from gridsim.plugins.trust import writable_by_others
from gridsim.text.status import source_line
from tests.fixtures.prepared import gridsim

HOME = """
[simulation]
speed = 0
plugins = ["loud.py"]
[[projects]]
id = "HOME"
contract_threshold = 1.0
[[projects.ders]]
id = "X"
type = "loud"
nameplate_capacity = 5.0
[[transports]]
type = "stdout"
"""
LOUD = """
print("at import")
from gridsim.api import Device, hookimpl
class Loud(Device):
    def step(self, tick):
        print("in a step")
        return 1.0
@hookimpl
def gridsim_register(register):
    print("registering")
    register.der("loud", Loud)
"""


def test_what_a_plugin_prints_is_not_among_the_readings(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(HOME)
    (tmp_path / "loud.py").write_text(LOUD)
    done = gridsim("--config", "c.toml", "--duration", "3s", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["der_id"] for line in done.stdout.splitlines()] == ["X"] * 3
    assert done.stderr.count("in a step") == 3
    assert "at import" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["plugins"],
        ["plugins", "battery"],
        ["schema"],
        ["validate"],
        ["validate", "--help"],
        ["--dry-run"],
    ],
)
def test_a_full_output_is_said_in_one_line(words: list[str], tmp_path: Path) -> None:
    done = gridsim(*words, cwd=tmp_path, to=Path("/dev/full"))
    assert done.returncode == 1
    assert done.stderr == "standard output: cannot be written: No space left on device\n"


def test_a_thousand_errors_are_a_hundred_and_a_count(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[[projects]]\n" * 1_000)
    done = gridsim("validate", "--config", "c.toml", cwd=tmp_path)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("and ")
    assert lines[-1].endswith(" more errors")
    assert sum(": error: " in line for line in lines) == 100
    assert len(done.stderr) < 40_000


@pytest.mark.parametrize(
    "char",
    [
        *"\u202e\u2066\u200b\u200d\u200f\ufeff\u00ad\u2060\u3164",
        *"\u00a0\u2000\u200a\u202f\u205f\u3000",
        *"\ue000\uf8ff\U000f0000\U0010fffd",
        *"\U000e0000\U000e0001\U000e0041\U000e007f\U000e0100\U000e01ef\ufe00\ufe0f\u180f",
    ],
)
def test_an_id_shows_all_of_its_characters(char: str) -> None:
    with pytest.raises(ValueError, match=f"must not hold U\\+{ord(char):04X}: it is not visible"):
        template(f"HOME{char}1", of_project=True)


@pytest.mark.parametrize(
    "text", ["HÖME-1", "家", "дом", "a b", "HOME_{n:03}", "e\u0301", "\u0939\u093f", "🏠"]
)
def test_an_id_may_be_of_any_script(text: str) -> None:
    assert template(text, of_project=True)(1, "")


@pytest.mark.skipif(os.name != "posix", reason="needs permissions")
def test_a_file_that_others_may_change_is_found(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("")
    path.chmod(0o644)
    assert writable_by_others(path) is None
    path.chmod(0o646)
    assert writable_by_others(path) == path
    path.chmod(0o644)
    tmp_path.chmod(0o777)
    assert writable_by_others(path) == tmp_path
    tmp_path.chmod(0o1777)
    assert writable_by_others(path) is None


def test_the_account_of_a_source_names_what_was_refused() -> None:
    status = SourceStatus(
        "mqtt", "up", posted=1_113, refused=90_000, unanswerable=80_000, lost=5, unanswered=13
    )
    assert source_line(status) == (
        "commands by mqtt: 1,113 instructions received, 90,000 refused because too many were "
        "waiting, 80,000 without an answer, 5 dropped unread, 13 not carried out before the run "
        "ended"
    )


def test_a_run_warns_of_files_that_every_user_may_change(tmp_path: Path) -> None:
    plugin, variables = tmp_path / "loud.py", tmp_path / ".env"
    (tmp_path / "c.toml").write_text(HOME)
    plugin.write_text(LOUD)
    variables.write_text("MQTT_HOST=127.0.0.1\n")
    plugin.chmod(0o602)
    variables.chmod(0o602)
    done = gridsim("--config", "c.toml", "--duration", "1s", "--log-json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if "may be changed by other users" in line]
    assert len(told) == 2
    assert "loud.py may be changed by other users, and the plugin" in "".join(told)
    assert "loud.py runs with your rights; chmod o-w" in "".join(told)
    assert ".env may be changed by other users; chmod o-w" in "".join(told)
    plugin.chmod(0o600)
    variables.chmod(0o600)
    done = gridsim("--config", "c.toml", "--duration", "1s", cwd=tmp_path)
    assert "may be changed" not in done.stderr
