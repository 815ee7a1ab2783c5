"""Jumps of the wall clock, by libfaketime, in turns with undisturbed runs."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from glob import glob
from itertools import pairwise

from benchmarks.matrix.accounts import disagreements
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import Received

GROUP = Group("Clock")
_LIBRARY = next(iter(glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), "")
_STDOUT = '\n[[transports]]\ntype = "stdout"\n'
_TICKS = 16
_TICK_S = 0.5
ALLOWED_S = 0.1

JUMPS = {"+1 h": "+3600", "-1 h": "-3600", "-5 s": "-5", "+1000 days": "+86400000"}
EDGES = {
    "clocks forward": datetime(2027, 3, 14, 6, 59, 57, tzinfo=UTC),
    "clocks back": datetime(2027, 11, 7, 5, 59, 57, tzinfo=UTC),
}
"""Three seconds before daylight saving begins and ends in New York."""


def _run(scene: Scene, before: str, after: str, zone: str = "") -> tuple[FleetRun, list[float]]:
    """Run under a fake clock whose offset changes in the middle; return the arrival times."""
    offset = scene.folder / "offset"
    offset.write_text(before)
    env = {
        **os.environ,
        "LD_PRELOAD": _LIBRARY,
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        **({"TZ": zone} if zone else {}),
    }
    text = fleet(_STDOUT, count=1, tick_s=_TICK_S)
    words = ("--duration", f"{_TICKS * _TICK_S}s")
    with FleetRun(scene.folder, text, *words, env=env, own_interpreter=True) as run:
        run.wait_for("ledger: ")
        arrivals = list[float]()
        jumped = False
        while run.process.poll() is None:
            lines = run.stdout.count("\n")
            now = time.monotonic()
            arrivals += [now] * (lines - len(arrivals))
            if not jumped and lines >= _TICKS // 2:
                offset.write_text(after)
                jumped = True
            time.sleep(0.005)
        run.wait()
        lines = run.stdout.count("\n")
        arrivals += [time.monotonic()] * (lines - len(arrivals))
    return run, arrivals


def _longest(arrivals: Sequence[float]) -> float:
    return max((b - a for a, b in pairwise(arrivals)), default=99.0)


def _judge(
    name: str, run: FleetRun, arrivals: Sequence[float], calm: Sequence[float], outcome: Outcome
) -> None:
    stamps = [json.loads(line)["timestamp"] for line in run.stdout.splitlines()]
    times = [datetime.fromisoformat(stamp).timestamp() for stamp in stamps]
    steps = {round(b - a, 3) for a, b in pairwise(times)}
    excess = _longest(arrivals) - _longest(calm)
    outcome.note(
        f"{name}: longest gap {_longest(arrivals):.2f} s, undisturbed {_longest(calm):.2f} s, "
        f"{len(stamps)} of {_TICKS} ticks"
    )
    outcome.check(run.process.wait() == 0, f"{name}: exit {run.process.wait()}")
    outcome.check(len(stamps) == _TICKS, f"{name}: {len(stamps)} ticks")
    outcome.check(steps == {_TICK_S}, f"{name}: steps of {sorted(steps)} s in the stamps")
    outcome.check(excess <= ALLOWED_S, f"{name}: {excess:.2f} s above the undisturbed run")
    received = Received().lines(run.stdout.splitlines())
    outcome.extend(disagreements(run, {"stdout": received}), name)
    assert run.ledger is not None
    with closing(sqlite3.connect(run.ledger)) as connection:
        ticks = connection.execute("SELECT tick FROM batches ORDER BY tick").fetchall()
    outcome.check([t for (t,) in ticks] == list(range(_TICKS)), f"{name}: ticks of the ledger")


@GROUP.row(
    "the wall clock jumps: +1 h, -1 h, -5 s, +1000 days",
    "no tick lost or repeated, in the readings and in the ledger; no gap more than 0.1 s above "
    "the longest gap of an undisturbed run; the jump is logged; stamps in UTC go on",
    short=False,
)
def jumps(scene: Scene, outcome: Outcome) -> None:
    if not _LIBRARY:
        outcome.failures.append("libfaketime is not installed: apt-get install faketime")
        return
    for name, after in JUMPS.items():
        part = scene.part(name.replace(" ", ""))
        _, calm = _run(part.part("calm"), "+0", "+0")
        run, arrivals = _run(part.part("jump"), "+0", after)
        _judge(name, run, arrivals, calm, outcome)
        outcome.check("wall clock jumped" in run.log, f"{name}: the jump is not logged")


@GROUP.row(
    "daylight saving begins and ends in the machine's time zone (New York)",
    "no tick lost or repeated; no gap more than 0.1 s above that of an undisturbed run",
    short=False,
)
def edges(scene: Scene, outcome: Outcome) -> None:
    if not _LIBRARY:
        outcome.failures.append("libfaketime is not installed: apt-get install faketime")
        return
    for name, edge in EDGES.items():
        part = scene.part(name.replace(" ", "-"))
        _, calm = _run(part.part("calm"), "+0", "+0", "America/New_York")
        shift = f"+{edge.timestamp() - time.time():.0f}"
        run, arrivals = _run(part.part("edge"), shift, shift, "America/New_York")
        _judge(name, run, arrivals, calm, outcome)
        crossed = [json.loads(line)["timestamp"] for line in run.stdout.splitlines()]
        outcome.note(f"from {crossed[0]} to {crossed[-1]}")
