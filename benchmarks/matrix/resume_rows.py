"""Kills of a run that has checkpoints, a spool and a ledger, and is resumed after each."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.matrix.accounts import Account, Fates, contradictions
from benchmarks.matrix.broker import broker, mqtt
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import Subscriber
from gridsim.ledger.schema import TRUTH
from tests.fixtures import prepared

GROUP = Group("Resume")
_DEVICES = 40
_TICK_S = 0.05
_TABLES = """
[checkpoint]
path = "ck"
every_s = 1
on_recovery = "{on_recovery}"
[ledger]
path = "ledger.sqlite"
[[sources]]
type = "mqtt"
host = "127.0.0.1"
port = {port}
"""


@dataclass(slots=True)
class ResumeSeries:
    """The result of a series of kills of one run."""

    kills: int = 0
    resumed: int = 0
    """The lives that the ledger has, beyond the first."""
    account: Account = field(default_factory=Account)
    """The account over all lives."""
    missed: int = 0
    """The readings of the times in which the run was down, which are not sent."""
    instructions: int = 0
    received: int = 0
    """The number of different readings at the far end."""
    doubled: int = 0
    """The number of copies beyond the first."""
    failures: list[str] = field(default_factory=list)


def resume_series(
    folder: Path, count: int, *, on_recovery: str = "skip", seed: int = 1
) -> ResumeSeries:
    """End one run `count` times by kill -9 at random moments, and resume it each time.

    The broker is down during every fifth life. Commands arrive all the time. At the end the far end
    is compared with the ledger, and the ledger with a run that repeats it undisturbed.
    """
    chance = random.Random(seed)
    mosquitto = broker(folder)
    port = mosquitto.ports["only"]
    text = fleet(
        mqtt(port, "qos = 1", 'startup = "retry"', 'spool = { path = "spool.sqlite" }'),
        count=_DEVICES,
        tick_s=_TICK_S,
        simulation='start = "now"',
        more=_TABLES.format(port=port, on_recovery=on_recovery),
    )
    series = ResumeSeries()
    with mosquitto, Subscriber(port, topic="projects/+/ders/+") as far:
        sender = Client(CallbackAPIVersion.VERSION2, client_id="commands")
        sender.reconnect_delay_set(1, 1)
        sender.connect("127.0.0.1", port)
        sender.loop_start()
        for life in range(count):
            is_down = life % 5 == 3
            if is_down:
                mosquitto.stop()
            with FleetRun(folder, text, "--resume", ledger=False) as run:
                if chance.random() < 0.8:
                    run.wait_for("QoS 1")
                until = time.monotonic() + chance.uniform(0.0, 1.5)
                while time.monotonic() < until:
                    _command(sender, chance, life)
                    time.sleep(0.1)
                if run.process.poll() is not None:
                    series.failures.append(f"life {life} ended: {run.log[-300:]}")
                run.process.kill()
                run.process.wait()
            if is_down:
                mosquitto.start()
            series.kills += 1
        sender.loop_stop()
        words = ("--resume", "--duration", f"{_age_s(folder) + 3:.0f}s")
        with FleetRun(folder, text, *words, ledger=False) as run:
            status = run.wait()
        if status:
            series.failures.append(f"the last life ended with {status}: {run.log[-800:]}")
        received = far.settled()
    ledger = folder / "ledger.sqlite"
    fates = Fates(ledger, "mqtt")
    series.account = fates.account()
    series.received = len(received.copies)
    series.doubled = received.copies.total() - len(received.copies)
    if fates.repeated:
        series.failures.append(f"{fates.repeated} readings have two fates")
    series.failures += contradictions(fates, received, copies=True)
    with closing(sqlite3.connect(ledger)) as found:
        [(series.resumed,)] = found.execute("SELECT count(*) FROM resumptions")
        [(series.instructions,)] = found.execute("SELECT count(*) FROM instructions")
    series.missed = series.account.dropped.get("not sent: on_recovery = skip", 0)
    series.failures += _repeated(folder)
    return series


def _command(sender: Client, chance: random.Random, life: int) -> None:
    """Send a command to one of the batteries."""
    place = chance.randrange(_DEVICES) + 1
    body = {
        "id": f"{life}-{chance.random()}",
        "command": "set_power",
        "value": round(chance.uniform(-5.0, 5.0), 1),
        "duration_s": 5,
    }
    sender.publish(f"projects/P{place}/ders/P{place}_B/command", json.dumps(body), qos=1)


def _age_s(folder: Path) -> float:
    """Return the time since the start of the run, seconds."""
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as found:
        [(start_ms,)] = found.execute("SELECT value FROM meta WHERE key = 'start_ms'")
    return time.time() - float(start_ms) / 1000


def _repeated(folder: Path) -> list[str]:
    """Repeat the run without a disturbance, and return how its truth differs."""
    transports = 'transports=[{type="file", path="repeated.jsonl"}]'
    words = ["--config", "run.toml", "--repeat", "ledger.sqlite", "--set", transports]
    words += ["--set", 'ledger.path="repeated.sqlite"']
    done = prepared.gridsim(*words, cwd=folder, timeout_s=600)
    if done.returncode:
        return [f"the repeated run ended with {done.returncode}: {done.stderr[-500:]}"]
    differing = []
    with (
        closing(sqlite3.connect(folder / "ledger.sqlite")) as one,
        closing(sqlite3.connect(folder / "repeated.sqlite")) as other,
    ):
        for table in TRUTH:
            query = f"SELECT * FROM {table} ORDER BY rowid"
            if one.execute(query).fetchall() != other.execute(query).fetchall():
                differing.append(f"the table {table} differs from that of an undisturbed run")
    return differing


def _report(series: ResumeSeries, outcome: Outcome) -> None:
    account = series.account
    outcome.note(
        f"{series.kills} kills, {series.resumed} resumptions, {series.instructions} commands; "
        f"{account}; {series.received:,} received, {series.doubled:,} doubled; the ledger is that "
        "of an undisturbed run"
    )
    outcome.extend(series.failures)
    outcome.check(account.balanced, "the account over all lives does not add up")
    outcome.check(account.pending == 0, "readings without a fate")
    outcome.check(account.accepted - series.missed <= series.received, "readings are lost")


@GROUP.row(
    "kill -9 at random moments, with checkpoints, a spool and a ledger; on_recovery = skip",
    "resumed each time; the account over all lives sums to zero; what was accepted arrives, twice "
    "only what was being sent; the ledger is that of an undisturbed run",
)
def killed_and_resumed(scene: Scene, outcome: Outcome) -> None:
    _report(resume_series(scene.folder, scene.size(5, 100)), outcome)


@GROUP.row("the same with on_recovery = republish", "the same, and nothing is missing", short=False)
def killed_and_republished(scene: Scene, outcome: Outcome) -> None:
    series = resume_series(scene.folder, scene.size(5, 20), on_recovery="republish", seed=2)
    _report(series, outcome)
    outcome.check(series.missed == 0, "readings were left out")
