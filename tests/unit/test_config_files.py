"""Files that a configuration names: each problem is found before a run, at its place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridsim.api import RunPeriod, Settings
from gridsim.config.text.report import ConfigError
from gridsim.errors import UsageError
from gridsim.ledger.file import unusable
from gridsim.running.plan import Options, make_plan
from gridsim_plugins.mqtt.certificates import certificate_problems
from tests.fixtures.prepared import gridsim

BASE = """
[simulation]
seed = 1
tick_s = 900
speed = 0
start = 2026-07-01T00:00:00Z
{simulation}
[site]
timezone = "Europe/Berlin"
{weather}
[[projects]]
id = "P1"
contract_threshold = 1.0
load = {{ type = "profile", path = "{load}" }}
[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = {nameplate}
[[transports]]
type = "stdout"
{more}
"""
DAY = "time,kw\n0:00,1\n12:00,2\n"
WEATHER = '[weather]\ntype = "file"\npath = "{}"\nlatitude = 52.0\nlongitude = 13.0'


def written(folder: Path, **parts: str) -> Path:
    (folder / "load.csv").write_text(DAY)
    given = {"simulation": "", "weather": "", "load": "load.csv", "nameplate": "5.0", "more": ""}
    path = folder / "c.toml"
    path.write_text(BASE.format(**{**given, **parts}))
    return path


def problems(path: Path, duration: str | None = None, *overrides: str) -> list[str]:
    """The problems without the path of the file's folder: `line:column: message`."""
    try:
        make_plan(Options(config=path, duration=duration, overrides=overrides))
    except ConfigError as error:
        return [
            f"{p.line}:{p.column}: {p.message}".replace(f"{path.parent}/", "")
            for p in error.problems
        ]
    return []


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    more = (
        '[[transports]]\ntype = "file"\npath = "."\n'
        '[[transports]]\ntype = "mqtt"\nhost = "b"\ntls = "on"\nca_file = "ca.pem"\n'
        '[ledger]\npath = "load.csv"\n'
    )
    path = written(
        tmp_path,
        simulation='plugins = ["no.py"]\nscenarios = ["none.toml"]',
        weather=WEATHER.format("w.csv"),
        load="l.csv",
        nameplate="-1.0",
        more=more,
    )
    assert problems(path) == [
        "7:12: there is no plugin file no.py",
        "8:14: none.toml: there is no such file",
        "13:8: 'path' cannot be used: w.csv: No such file or directory",
        "19:35: 'path' cannot be used: l.csv: No such file or directory",
        "23:22: 'nameplate_capacity' must be greater than 0",
        "28:8: 'path'  is a folder, not a file",
        "33:11: 'ca_file' cannot be used: ca.pem: No such file or directory",
        "35:8: 'path' load.csv exists and is not a ledger; name another file",
    ]


def test_problems_of_files_come_with_those_of_transports(tmp_path: Path) -> None:
    more = '[[transports]]\ntype = "mqtt"\nhost = "b"\nca_file = "ca.pem"\n'
    found = problems(written(tmp_path, load="l.csv", more=more))
    assert len(found) == 2
    assert "l.csv: No such file" in found[0]
    assert "ca_file" in found[1]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "load.csv: the file is empty"),
        (b"time,kw\n", "load.csv: a header and at least one row are needed"),
        (b"\x00\x01\x02\x03", "load.csv: is not text: byte 1, in line 1, is 0x00"),
        (b"SQLite format 3\x00", "load.csv: is an SQLite database"),
        (b"time,power\n0:00,1\n", "load.csv: there is no column 'kw'; there are: time, power"),
        (b"time,kw\n0:00,x\n", "load.csv, line 2: kw is 'x', which is not a number"),
        (b"time,kw\n2026-06-30T22:15,1\n2026-07-01T06:00,1\n", ""),
        (b"time,kw\n2026-07-01T02:00,1\n2026-07-01T06:00,1\n", ""),
        (
            b"time,kw\n2026-07-01T02:01,1\n2026-07-01T06:00,1\n",
            "there is no load for 2026-07-01T02",
        ),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, data: bytes, problem: str) -> None:
    path = written(tmp_path)
    (tmp_path / "load.csv").write_bytes(data)
    found = problems(path)
    assert len(found) == bool(problem)
    assert problem in "".join(found)
    assert len("".join(found)) < 400


def test_a_folder_and_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (found,) = problems(written(tmp_path, load="."))
    assert found.endswith("Is a directory")
    path = written(tmp_path)
    (tmp_path / "load.csv").chmod(0)
    if os.geteuid():
        (found,) = problems(path)
        assert "Permission denied" in found


def test_a_file_must_cover_the_whole_run(tmp_path: Path) -> None:
    path = written(tmp_path, weather=WEATHER.format("w.csv"))
    hours = [f"2026-07-01T{h:02}:00Z,0,20" for h in range(24)]
    (tmp_path / "w.csv").write_text("\n".join(["time,ghi,temperature", *hours]))
    assert problems(path) == []
    assert problems(path, "1d") == []
    (found,) = problems(path, "24h15m")
    assert "the file covers 2026-07-01T00:00:00.000Z to 2026-07-02T00:00:00.000Z" in found
    (found,) = problems(path, "1h", "simulation.start=2026-06-30T23:45:00Z")
    assert "there is no weather for 2026-06-30T23:45:00.000Z" in found
    # By the clock of the project, not of the site.
    local = "time,kw\n2026-07-01T00:00,1\n2026-07-01T23:45,1\n"
    (tmp_path / "load.csv").write_text(local)
    (found,) = problems(path, "22h15m")
    assert "there is no load for 2026-07-02T00:00:00.000Z" in found
    assert problems(path, "22h") == []
    assert problems(path, "22h15m", 'projects.0.timezone="UTC"') == []


@pytest.mark.parametrize("command", [["validate"], ["--dry-run"], ["--duration", "1h"]])
def test_the_commands_end_with_2_and_write_nothing(tmp_path: Path, command: list[str]) -> None:
    more = '[ledger]\npath = "out/l.sqlite"\n[[transports]]\ntype = "file"\npath = "a/b.jsonl"\n'
    path = written(tmp_path, load="none.csv", more=more)
    first = command if command[0] == "validate" else []
    rest = [] if first else command
    done = gridsim(*first, "--config", path, *rest, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"{path}:14:35: error: 'path' cannot be used: none.csv: No such file or directory\n"
        '    load = { type = "profile", path = "none.csv" }\n'
        "                                      ^\n"
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.toml", "load.csv"]


def test_other_commands_do_not_open_the_files_of_a_run(tmp_path: Path) -> None:
    path = written(tmp_path, load="none.csv", more='[ledger]\npath = "load.csv"\n')
    plan = make_plan(Options(config=path), files="none")
    assert plan.ledger is not None
    with pytest.raises(UsageError) as caught:
        make_plan(Options(config=path), files="inputs")
    assert "none.csv" in str(caught.value)
    assert "not a ledger" not in str(caught.value)


PLUGIN = """
from collections.abc import Iterator
from gridsim.api import Load, LocalPath, RunPeriod, Settings, hookimpl

class Own(Settings):
    file: LocalPath = "x"

    def file_problems(self, period: RunPeriod | None) -> Iterator[tuple[str, str]]:
        assert period.timezone == "Europe/Berlin" and period.last_ms is None
        {body}

class Mine(Load):
    Settings = Own
    def at(self, tick): return 0
    def expected(self, time_ms): return 0

@hookimpl
def gridsim_register(register): register.load("mine", Mine)
"""


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('yield "file", "names x, which is missing"', "14:8: 'file' names x, which is missing"),
        ('raise KeyError("k")', "the files of 'mine' cannot be checked: KeyError: 'k'"),
        ('yield "file"', "the files of 'mine' cannot be checked: ValueError"),
    ],
)
def test_a_plugin_may_check_its_files(tmp_path: Path, body: str, problem: str) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN.format(body=body))
    path = written(tmp_path, simulation='plugins = ["mine.py"]')
    text = path.read_text().replace('{ type = "profile", path = "load.csv" }', '{ type = "mine" }')
    path.write_text(text)
    (found,) = problems(path)
    assert problem in found


SHARED = """
[[projects]]
id = "P"
[[projects.ders]]
id = "B"
type = "battery"
nameplate_capacity = 5.0
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            '[[transports]]\ntype = "file"\npath = "a.jsonl"\n'
            '[[transports]]\ntype = "file"\npath = "a.jsonl"\n',
            ["path: the file a.jsonl is already used by transport file; choose another"],
        ),
        (
            '[[transports]]\ntype = "file"\npath = "a.jsonl"\ngzip = true\n'
            '[[transports]]\ntype = "file"\npath = "a.jsonl"\n',
            [],
        ),
        (
            '[defaults.mqtt]\nhost = "h"\nclient_id = "me"\n[[transports]]\ntype = "mqtt"\n'
            '[[transports]]\ntype = "mqtt"\nport = 1884\n[[sources]]\ntype = "mqtt"\n',
            [
                "client_id: the client id 'me' at h:1883 is already used by transport mqtt; "
                "choose another"
            ],
        ),
        ('[[transports]]\ntype = "mqtt"\n[[transports]]\ntype = "mqtt"\n', []),
    ],
)
def test_what_one_transport_has_to_itself(tmp_path: Path, text: str, found: list[str]) -> None:
    path = tmp_path / "c.toml"
    path.write_text(SHARED + text)
    assert [line.split(": ", 1)[1] for line in problems(path)] == found


def test_settings_name_no_problem_by_default() -> None:
    class Plain(Settings):
        pass

    found: Iterator[tuple[str, str]] = Plain().file_problems(RunPeriod(0, None, "UTC"))
    assert list(found) == []


def test_a_place_where_a_ledger_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").touch()
    link = tmp_path / "link"
    link.symlink_to("file")
    for name, reason in (
        ("file", "exists and is not a ledger"),
        ("file/l.sqlite", "is not a folder"),
        ("link", "is not a regular file"),
        (".", "is not a regular file"),
        ("empty", None),
        ("new/folder/l.sqlite", None),
    ):
        problem = unusable(tmp_path / name, overwrite=True)
        assert problem is None if reason is None else reason in str(problem)


def test_certificates_that_tls_cannot_use(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("not a certificate")
    none = str(tmp_path / "none.pem")
    assert list(certificate_problems("", "", "")) == []
    assert dict(certificate_problems(none, str(wrong), none)) == {
        "ca_file": f"cannot be used: {none}: No such file or directory",
        "key_file": f"cannot be used: {none}: No such file or directory",
    }
    assert dict(certificate_problems(str(wrong), str(wrong), "")) == {
        "ca_file": f"cannot be used: {wrong} has no certificates in PEM",
        "cert_file": f"cannot be used: {wrong}: not a certificate and its key in PEM",
    }
