"""Whole runs with a ledger: processes, kills, full disks, and a real broker."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gridsim.ledger.schema import TRUTH
from gridsim.verify import VerifyOptions, verify
from gridsim.verify.differences import KINDS, UNEXPLAINED
from tests.fixtures import prepared
from tests.fixtures.ledgers import FAULTS
from tests.integration.commands import DEADLINE_S, FULL_DISK, ROOT, gridsim
from tests.integration.conftest import Brokers

FLEET = """
[simulation]
seed = 3
speed = 0
start = 2026-07-01T12:00:00Z
[ledger]
path = "ledger.sqlite"
[[projects]]
id = "HOME_{n}"
count = 20
contract_threshold = 2.0
[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 5.0
"""
TO_FILE = '[[transports]]\ntype = "file"\npath = "out.jsonl"\n'
TO_STDOUT = '[[transports]]\ntype = "stdout"\n'


def write(folder: Path, more: str) -> Path:
    path = folder / "fleet.toml"
    path.write_text(FLEET + more)
    return path


def rows(ledger: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(ledger)) as connection:
        return connection.execute(query).fetchall()


def fates(ledger: Path) -> dict[tuple[str, str, str], int]:
    query = (
        "SELECT name, fate, reason, sum(rows) FROM fates JOIN transports USING (transport) "
        "GROUP BY 1, 2, 3"
    )
    return {(name, fate, reason): n for name, fate, reason, n in rows(ledger, query)}


def test_fates_agree_with_the_closing_line_of_every_transport(tmp_path: Path) -> None:
    config = write(tmp_path, TO_FILE + TO_STDOUT)
    done = gridsim("--config", config, "--duration", "50s", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ledger = tmp_path / "ledger.sqlite"
    assert fates(ledger) == {
        ("file", "delivered", ""): 2000,
        ("stdout", "delivered", ""): 2000,
    }
    assert "stdout: 2,000 accepted = 2,000 delivered + 0 dropped" in done.stderr
    assert rows(ledger, "SELECT value FROM meta WHERE key = 'complete'") == [(1,)]
    asked = gridsim("verify", "ledger.sqlite", "out.jsonl", cwd=tmp_path)
    assert asked.returncode == 2
    assert "several transports: file, stdout" in asked.stderr
    for words in (("out.jsonl", "--transport", "file"), ("-", "--transport", "stdout")):
        told = prepared.gridsim("verify", "ledger.sqlite", *words, input=done.stdout, cwd=tmp_path)
        assert told.returncode == 0, told.stdout + told.stderr
        assert "PASS: 0 unexplained" in told.stdout


def test_the_truth_does_not_depend_on_the_speed(tmp_path: Path) -> None:
    config = write(tmp_path, TO_FILE + FAULTS)
    tables = []
    for speed in (0, 60):
        done = gridsim(
            *("--config", config, "--duration", "90s", "--speed", speed),
            *("--set", f'ledger.path="{speed}.sqlite"'),
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        ledger = tmp_path / f"{speed}.sqlite"
        with closing(sqlite3.connect(ledger)) as connection:
            for name in ("offers", "fates", "retries", "meta", "transports"):
                connection.execute(f"DROP TABLE {name}")
            connection.execute("DROP VIEW settled")
            tables.append("\n".join(connection.iterdump()))
        assert all(
            f'INTO "{name}"' in tables[-1]
            for name in ("packed_readings", "packed_labels", "episodes")
        )
    assert tables[0] == tables[1]
    assert all(f"CREATE TABLE {name} " in tables[0] for name in TRUTH)


@pytest.mark.parametrize(
    ("speed", "homes", "after_s"),
    [(0, 20, 1.5), (0, 4000, 2.0), (1, 20, 2.2)],
)
def test_a_kill_loses_no_more_than_the_last_moment(
    tmp_path: Path, speed: int, homes: int, after_s: float
) -> None:
    """The ledger has every reading that was in the output a second before the kill.

    The promise is a quarter of a second; the rest is for a busy machine.
    """
    config = write(tmp_path, TO_FILE)
    output, ledger = tmp_path / "out.jsonl", tmp_path / "ledger.sqlite"
    words = ("--config", config, "--speed", speed, "--set", f"projects.0.count={homes}")
    process = prepared.start(*words, cwd=tmp_path)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not (output.exists() and output.stat().st_size):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        began = time.monotonic()
        sizes = []
        while time.monotonic() - began < after_s:
            sizes.append((time.monotonic(), output.stat().st_size))
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        process.wait(DEADLINE_S)
    early = max(size for at, size in sizes if at <= killed - 1)
    present = output.read_bytes()[:early].count(b"\n")
    assert present > 0
    [(kept,)] = rows(ledger, "SELECT ifnull(sum(rows), 0) FROM batches")
    assert kept >= present
    assert rows(ledger, "PRAGMA integrity_check") == [("ok",)]
    assert rows(ledger, "SELECT value FROM meta WHERE key = 'complete'") == [(0,)]
    told = gridsim("verify", "ledger.sqlite", "out.jsonl", "--json", cwd=tmp_path)
    report = json.loads(told.stdout)
    assert report["complete"] is False
    assert report["expected"] == kept
    assert set(report["missing"]["by_cause"]) <= {"pending when the run was killed"}


def test_a_ledger_that_is_deleted_ends_the_run_and_is_not_named(tmp_path: Path) -> None:
    config = write(tmp_path, TO_FILE)
    ledger = tmp_path / "ledger.sqlite"
    words = ("--config", config, "--speed", 1, "--duration", "1h")
    process = prepared.start(*words, cwd=tmp_path, stderr=subprocess.PIPE)
    try:
        wait_for_offers(ledger, 1)
        ledger.unlink()
        _, said = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "the ledger ledger.sqlite was deleted" in said or f"the ledger {ledger} was" in said
    assert "ledger: incomplete" in said
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on the size of files")
def test_a_full_disk_ends_the_run_and_says_so(tmp_path: Path) -> None:
    config = write(tmp_path, TO_STDOUT)
    (tmp_path / "limit.py").write_text(FULL_DISK.format(size=400_000))
    words = ("--config", config, "--plugin", tmp_path / "limit.py", "--duration", "2h")
    done = prepared.gridsim(*words, cwd=tmp_path, to=Path(os.devnull), timeout_s=DEADLINE_S)
    assert done.returncode == 1, done.stderr
    assert "the ledger ledger.sqlite cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_ledger_in_the_way_ends_it_before_anything_is_sent(tmp_path: Path) -> None:
    config = write(tmp_path, TO_STDOUT)
    assert gridsim("--config", config, "--duration", "2s", cwd=tmp_path).returncode == 0
    again = gridsim("--config", config, "--duration", "2s", cwd=tmp_path)
    assert again.returncode == 2
    assert "holds the ledger of another run" in again.stderr
    assert again.stdout == ""


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    done = gridsim("verify", "notes.txt", "-", cwd=tmp_path)
    assert done.returncode == 2
    assert "is not a ledger" in done.stderr


class Listening:
    """A `gridsim verify --subscribe` that has subscribed."""

    def __init__(self, process: prepared.Started) -> None:
        self.process = process

    def report(self) -> tuple[int, dict[str, Any]]:
        out, err = self.process.communicate(timeout=DEADLINE_S)
        assert "Traceback" not in err
        assert out, err
        return self.process.wait(), json.loads(out)


@contextmanager
def listening(folder: Path, *words: object) -> Iterator[Listening]:
    process = prepared.start(
        *("verify", "ledger.sqlite", "--subscribe", "--json", "--quiet", "1s", *words),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said.startswith("subscribed"), said
        yield Listening(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def to_mqtt(brokers: Brokers, more: str = "") -> str:
    port = brokers.ports["plain"]
    return f'[[transports]]\ntype = "mqtt"\nhost = "127.0.0.1"\nport = {port}\nqos = 1\n{more}'


def test_every_fault_on_a_real_broker_is_explained(
    brokers: Brokers, commands: dict[str, str], tmp_path: Path
) -> None:
    """The fleet in which everything breaks, QoS 1, verify there before tick 0."""
    words = (
        *("--config", ROOT / "configs" / "chaos.toml"),
        *("--set", f"transports.0.port={brokers.ports['plain']}"),
        *("--set", 'transports.0.host="127.0.0.1"', "--set", 'transports.0.topic="chaos/{der_id}"'),
        *("--set", f'ledger.path="{tmp_path}/ledger.sqlite"'),
    )
    with listening(tmp_path, *words) as verify:
        done = gridsim(*words, "--speed", 0, "--duration", "8m", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        status, report = verify.report()
    assert (status, report["unexplained"]) == (0, 0), json.dumps(report)
    assert report["received"] > 6_800
    for kind in ("missing", "duplicate", "reordered", "delayed", "altered", "unreadable"):
        assert report[kind]["total"] > 0, kind
    assert report["late"]["readings"] > 4_000


@pytest.mark.parametrize("framing", ["der", "project"])
def test_whatever_is_removed_from_chaos_is_missed(tmp_path: Path, framing: str) -> None:
    table = f'{{type = "file", path = "{tmp_path}/out.jsonl", framing = "{framing}"}}'
    done = gridsim(
        *("--config", ROOT / "configs" / "chaos.toml", "--speed", 0, "--duration", "7m"),
        *("--set", f"transports.0={table}", "--set", f'ledger.path="{tmp_path}/ledger.sqlite"'),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines(keepends=True)

    def unexplained(held: list[bytes]) -> set[str]:
        (tmp_path / "held.jsonl").write_bytes(b"".join(held))
        files = (str(tmp_path / "held.jsonl"),)
        causes = verify(VerifyOptions(tmp_path / "ledger.sqlite", files), print).differences.causes
        return {kind for kind in KINDS if causes[kind][UNEXPLAINED]}

    assert unexplained(lines) == set()
    # Among them whole ones, torn ones, repeated ones and late ones.
    for place in range(7, len(lines), len(lines) // 4):
        assert unexplained(lines[:place] + lines[place + 1 :]) == {"missing"}, lines[place]


def test_a_verify_that_came_too_late_says_so(
    brokers: Brokers, commands: dict[str, str], tmp_path: Path
) -> None:
    config = write(tmp_path, to_mqtt(brokers, 'topic = "late/{der_id}"\n'))
    words = ("--config", config, "--speed", 60)
    ledger = tmp_path / "ledger.sqlite"
    with prepared.start(*words, cwd=tmp_path) as run:
        wait_for_offers(ledger, 1)
        with listening(tmp_path, "--config", config) as verify:
            # Readings that verify hears: the run ends only after some of them.
            wait_for_offers(ledger, offers(ledger) + 20)
            run.send_signal(signal.SIGINT)
            status, report = verify.report()
        assert run.wait(DEADLINE_S) == 130
    assert status == 4
    # A loaded machine may drop some at the end of the run, which the ledger knows.
    causes = report["missing"]["by_cause"].keys() - {"dropped: not sent before the end"}
    assert causes == {"unexplained"}
    [note] = report["notes"]
    assert "after the run began" in note


def test_a_verify_without_a_broker_says_what_it_waits_for(tmp_path: Path) -> None:
    # Nobody can listen on port 1 but a privileged service that is long gone.
    config = write(tmp_path, '[[transports]]\ntype = "mqtt"\nhost = "127.0.0.1"\nport = 1\n')
    words = ("verify", "ledger.sqlite", "--subscribe", "--config", config)
    with prepared.start(*words, cwd=tmp_path, stderr=subprocess.PIPE) as one:
        assert one.stderr is not None
        try:
            assert one.stderr.readline().startswith("no answer from 127.0.0.1:1")
        finally:
            one.kill()


def wait_for_offers(ledger: Path, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while offers(ledger) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def offers(ledger: Path) -> int:
    """Return the number of batches that the ledger has so far."""
    if not (ledger.exists() and ledger.stat().st_size):
        return 0
    try:
        return int(rows(ledger, "SELECT count(*) FROM offers")[0][0])
    except sqlite3.OperationalError:
        return 0


@pytest.mark.parametrize("framing", ["der", "project"])
def test_a_queue_that_is_too_small_is_explained(
    brokers: Brokers, commands: dict[str, str], tmp_path: Path, framing: str
) -> None:
    # Every wake-up brings fifty ticks at once, and the queue holds one.
    more = f'topic = "small-{framing}/{{project_id}}"\nframing = "{framing}"\n'
    small = f'queue_mb = 0.004\non_full = "drop_oldest"\n{more}'
    config = write(tmp_path, to_mqtt(brokers, small) + FAULTS)
    with listening(tmp_path, "--config", config) as verify:
        done = gridsim("--config", config, "--speed", 1000, "--duration", "3m", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        status, report = verify.report()
    dropped = report["missing"]["by_cause"]["dropped: queue full"]
    assert dropped == fates(tmp_path / "ledger.sqlite")["mqtt", "dropped", "queue full"]
    assert (status, report["unexplained"]) == (0, 0), json.dumps(report)


def test_an_earlier_runs_ledger_is_not_taken_for_the_next_ones(
    brokers: Brokers, commands: dict[str, str], tmp_path: Path
) -> None:
    config = write(tmp_path, to_mqtt(brokers, 'topic = "again/{der_id}"\n'))
    assert gridsim("--config", config, "--duration", "2s", cwd=tmp_path).returncode == 0
    with listening(tmp_path, "--config", config) as verify:
        words = ("--duration", "5s", "--set", "ledger.overwrite=true")
        assert gridsim("--config", config, *words, cwd=tmp_path).returncode == 0
        status, report = verify.report()
    assert (status, report["received"]) == (0, 200)
