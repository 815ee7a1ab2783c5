"""Faults of a run that has a spool."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.matrix.accounts import disagreements, printed
from benchmarks.matrix.broker import broker, mqtt
from benchmarks.matrix.file_rows import can_mount, fill, small_disk
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.logs import errors
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


@GROUP.row(
    "disk full under the spool, and free again",
    "named once; readings wait in memory and are sent; the file is whole, and written again",
)
def full(scene: Scene, outcome: Outcome) -> None:
    if not can_mount(scene):
        outcome.note("not run: it needs root to mount a small disk")
        return
    mosquitto = broker(scene.folder)
    with small_disk(scene.folder) as disk, mosquitto, Subscriber(mosquitto.ports["only"]) as far:
        spool = f'spool = {{ path = "{disk}/spool.sqlite" }}'
        text = fleet(mqtt(mosquitto.ports["only"], "qos = 1", spool), count=50)
        with FleetRun(scene.folder, text) as run:
            run.wait_for("watch it")
            fill(disk / "filler")
            run.wait_for("cannot be written")
            time.sleep(2)
            (disk / "filler").unlink()
            run.wait_for("is written again")
            time.sleep(0.5)
            run.process.terminate()
            status = run.wait()
        received = far.settled()
        account = read_account(disk / "spool.sqlite")
    named = [line for line in errors(run.log) if "cannot be written" in line]
    outcome.note(f"{named[0] if named else 'not named'}; {printed(run.log)['mqtt']}; exit {status}")
    outcome.check(len(named) == 1, f"named {len(named)} times")
    outcome.check(account.accepted == account.delivered, f"the file has {account}")
    outcome.extend(disagreements(run, {"mqtt": received}))


@GROUP.row(
    "file of the spool deleted under the run",
    "named once; the rest of the run does without it; nothing lost",
)
def deleted(scene: Scene, outcome: Outcome) -> None:
    mosquitto = broker(scene.folder)
    with mosquitto, Subscriber(mosquitto.ports["only"]) as far:
        with FleetRun(scene.folder, fleet(mqtt(mosquitto.ports["only"], *_SPOOL))) as run:
            run.wait_for("watch it")
            time.sleep(0.5)
            (scene.folder / "spool.sqlite").unlink()
            run.wait_for("was deleted")
            time.sleep(1)
            run.process.terminate()
            status = run.wait()
        received = far.settled()
    named = errors(run.log)
    outcome.note(f"{named}; {printed(run.log)['mqtt']}; exit {status}")
    outcome.check(len(named) == 1, f"{len(named)} errors")
    outcome.extend(disagreements(run, {"mqtt": received}))


@GROUP.row(
    "second run with the same spool or ledger; the first is then killed",
    "exit 2 and the name of the file, the first run is undisturbed; no lock is left",
)
def second(scene: Scene, outcome: Outcome) -> None:
    mosquitto = broker(scene.folder)
    table = mqtt(mosquitto.ports["only"], *_SPOOL)
    with mosquitto, FleetRun(scene.folder, fleet(table)) as first:
        first.wait_for("watch it")
        for name, ledger in (("spool", False), ("ledger", True)):
            part = scene.part(name)
            text = fleet(table.replace("spool.sqlite", str(scene.folder / "spool.sqlite")))
            if ledger:
                text = fleet(mqtt(mosquitto.ports["only"]))
                text += f'\n[ledger]\npath = "{first.ledger}"\noverwrite = true\n'
            with FleetRun(part.folder, text, ledger=False) as other:
                status = other.wait()
            named = f"{name}.sqlite" in other.log and "another run" in other.log
            outcome.note(f"{name}: exit {status}")
            outcome.check(status == 2 and named, f"{name}: {other.log[-300:]}")
        outcome.check(first.process.poll() is None, "the first run ended")
        first.process.kill()
        first.process.wait()
        with FleetRun(scene.folder, fleet(table), "--duration", "1s") as third:
            status = third.wait()
    outcome.note(f"after the kill: exit {status}")
    outcome.check(status == 0, f"the third run: {third.log[-300:]}")
