"""Verify on a real broker: faults, queues and runs that it came too late for."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gridsim.verify import VerifyOptions, verify
from gridsim.verify.differences import KINDS, UNEXPLAINED
from tests.fixtures import prepared
from tests.fixtures.ledgers import FAULTS
from tests.integration.commands import DEADLINE_S, ROOT, gridsim
from tests.integration.conftest import Brokers
from tests.integration.ledger_runs.ledgers import fates, offers, wait_for_offers, write


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
