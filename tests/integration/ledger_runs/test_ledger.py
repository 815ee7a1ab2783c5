"""The ledger of a real run: its truth, its fates, and an end by force."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from gridsim.ledger.schema import TRUTH
from tests.fixtures import prepared
from tests.fixtures.ledgers import FAULTS
from tests.integration.commands import DEADLINE_S, FULL_DISK, gridsim
from tests.integration.ledger_runs.ledgers import fates, rows, wait_for_offers, write

TO_FILE = '[[transports]]\ntype = "file"\npath = "out.jsonl"\n'
TO_STDOUT = '[[transports]]\ntype = "stdout"\n'


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
