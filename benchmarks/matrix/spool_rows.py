"""Faults of a run that has a spool."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.matrix.broker import broker, mqtt
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import Subscriber
from gridsim.delivery.spool import SpoolAccount, read_account

GROUP = Group("Spool")
_DEVICES = 200
_SPOOL = ("qos = 1", 'startup = "retry"', 'spool = { path = "spool.sqlite" }')


@dataclass(slots=True)
class KillSeries:
    """The result of a series of killed runs that share a spool."""

    kills: int = 0
    account: SpoolAccount = field(default_factory=SpoolAccount)
    """The account over all runs."""
    received: int = 0
    """The number of different readings at the far end."""
    most_doubled: int = 0
    """The largest number of doubled readings of one killed run."""
    doubled: int = 0
    """The number of copies beyond the first."""
    most_pending: int = 0
    failures: list[str] = field(default_factory=list)


def kill_series(folder: Path, count: int, *, seed: int = 1) -> KillSeries:
    """End `count` runs by kill -9 at random moments, send what waits by a last one, and compare.

    Each run has other simulated times, so that no two readings are the same. The broker is down
    during every fifth.
    """
    chance = random.Random(seed)
    mosquitto = broker(folder)
    text = fleet(mqtt(mosquitto.ports["only"], *_SPOOL), count=_DEVICES, tick_s=0.05)
    spool = folder / "spool.sqlite"
    series = KillSeries()
    with mosquitto, Subscriber(mosquitto.ports["only"]) as far:
        for life in range(count):
            is_down = life % 5 == 3
            if is_down:
                mosquitto.stop()
            with FleetRun(folder, text, *_start(life), ledger=False) as run:
                if chance.random() < 0.8:
                    run.wait_for("QoS 1")
                time.sleep(chance.uniform(0.0, 1.0))
                # A run that has ended was refused.
                if run.process.poll() is not None:
                    series.failures.append(f"run {life} ended: {run.log[-300:]}")
                run.process.kill()
                run.process.wait()
            if is_down:
                mosquitto.start()
            series.kills += 1
            if spool.exists():
                _check(series, read_account(spool), f"after kill {life}")
        with FleetRun(folder, text, *_start(count), "--duration", "1s", ledger=False) as run:
            status = run.wait()
        if status:
            series.failures.append(f"the last run ended with {status}: {run.log[-500:]}")
        received = far.settled()
    series.account = read_account(spool)
    _check(series, series.account, "at the end")
    series.received = len(received.copies)
    by_hour: Counter[str] = Counter()
    for (_, timestamp), copies in received.copies.items():
        by_hour[timestamp[:13]] += copies - 1
    series.doubled = by_hour.total()
    series.most_doubled = max(by_hour.values(), default=0)
    return series


def _start(life: int) -> tuple[str, str]:
    return (
        "--start",
        f"2026-{1 + life // 24 // 28:02}-{1 + life // 24 % 28:02}T{life % 24:02}:00:00Z",
    )


def _check(series: KillSeries, account: SpoolAccount, when: str) -> None:
    series.most_pending = max(series.most_pending, account.pending)
    settled = account.delivered + account.dropped.total() + account.unconfirmed
    if account.accepted != settled + account.pending:
        series.failures.append(f"{when} the account does not add up: {account}")


@GROUP.row(
    "kill -9 at random moments, with a spool at QoS 1",
    "no accepted reading is lost; only those that were being sent are doubled; the account over "
    "all runs adds up after each kill",
)
def killed(scene: Scene, outcome: Outcome) -> None:
    series = kill_series(scene.folder, scene.size(10, 100))
    account = series.account
    outcome.note(
        f"{series.kills} kills, up to {series.most_pending:,} readings waiting; "
        f"{account.accepted:,} accepted, {account.delivered:,} delivered, {account.pending} "
        f"pending, {series.received:,} received, {series.doubled:,} doubled, at most "
        f"{series.most_doubled} of a run"
    )
    outcome.extend(series.failures)
    outcome.check(account.pending == 0, "readings still wait")
    outcome.check(account.delivered == account.accepted, "not all accepted readings were delivered")
    outcome.check(series.received == account.accepted, "the far end has other readings")
    # A tick of all devices is sent at once. A batch that is being sent at a kill is sent again by
    # the next run, and can be killed once more.
    outcome.check(series.doubled <= series.kills * _DEVICES, "more doubled than were being sent")
