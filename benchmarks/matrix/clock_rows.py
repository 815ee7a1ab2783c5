"""Jumps of the wall clock, by libfaketime, in turns with undisturbed runs."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
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
_TURNS = 4
ALLOWED_S = 0.1

JUMPS = {"+1 h": "+3600", "-1 h": "-3600", "-5 s": "-5", "+1000 days": "+86400000"}
EDGES = {
    "clocks forward": datetime(2027, 3, 14, 7, 0, 0, tzinfo=UTC),
    "clocks back": datetime(2027, 11, 7, 6, 0, 0, tzinfo=UTC),
}
"""The beginning and the end of daylight saving in New York."""


def _run(
    scene: Scene, before: str, after: str, zone: str = "", ticks: int = _TICKS
) -> tuple[FleetRun, list[float]]:
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
    words = ("--duration", f"{ticks * _TICK_S}s")
    with FleetRun(scene.folder, text, *words, env=env, own_interpreter=True) as run:
        run.wait_for("ledger: ")
        arrivals = list[float]()
        jumped = False
        while run.process.poll() is None:
            lines = run.stdout.count("\n")
            now = time.monotonic()
            arrivals += [now] * (lines - len(arrivals))
            if not jumped and lines >= ticks // 2:
                offset.write_text(after)
                jumped = True
            time.sleep(0.005)
        run.wait()
        lines = run.stdout.count("\n")
        arrivals += [time.monotonic()] * (lines - len(arrivals))
    return run, arrivals


def _longest(arrivals: Sequence[float]) -> float:
    return max((b - a for a, b in pairwise(arrivals)), default=99.0)


@dataclass(frozen=True, slots=True)
class _Turn:
    """A run under a fake clock, and the longest gap of it and of an undisturbed run before it."""

    run: FleetRun
    longest: float
    calm: float

    @property
    def excess(self) -> float:
        return self.longest - self.calm


def _judge(name: str, turns: list[_Turn], outcome: Outcome, ticks: int = _TICKS) -> None:
    """Judge the last of the turns, whose longest gap is the least above the undisturbed one."""
    turn = turns[-1]
    run = turn.run
    stamps = [json.loads(line)["timestamp"] for line in run.stdout.splitlines()]
    times = [datetime.fromisoformat(stamp).timestamp() for stamp in stamps]
    steps = {round(b - a, 3) for a, b in pairwise(times)}
    outcome.note(
        f"{name}: longest gap {turn.longest:.2f} s, undisturbed {turn.calm:.2f} s, "
        f"{len(stamps)} of {ticks} ticks" + (f", turn {len(turns)}" if len(turns) > 1 else "")
    )
    outcome.check(run.process.wait() == 0, f"{name}: exit {run.process.wait()}")
    outcome.check(len(stamps) == ticks, f"{name}: {len(stamps)} ticks")
    outcome.check(steps == {_TICK_S}, f"{name}: steps of {sorted(steps)} s in the stamps")
    outcome.check(
        turn.excess <= ALLOWED_S, f"{name}: {turn.excess:.2f} s above the undisturbed run"
    )
    received = Received().lines(run.stdout.splitlines())
    outcome.extend(disagreements(run, {"stdout": received}), name)
    assert run.ledger is not None
    with closing(sqlite3.connect(run.ledger)) as connection:
        found = connection.execute("SELECT tick FROM batches ORDER BY tick").fetchall()
    outcome.check([t for (t,) in found] == list(range(ticks)), f"{name}: ticks of the ledger")


def _turns(disturbed: Callable[[int], tuple[_Turn, bool]]) -> list[_Turn]:
    """Take turns until one is as promised.

    A busy machine delays a tick now and then; a clock that stops ticks does so in every turn.
    """
    turns = []
    for number in range(_TURNS):
        turn, usable = disturbed(number)
        turns.append(turn)
        if usable and turn.excess <= ALLOWED_S:
            break
    return turns


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

        def turn(number: int, part: Scene = part, after: str = after) -> tuple[_Turn, bool]:
            _, calm = _run(part.part(f"calm-{number}"), "+0", "+0")
            run, arrivals = _run(part.part(f"jump-{number}"), "+0", after)
            return _Turn(run, _longest(arrivals), _longest(calm)), True

        turns = _turns(turn)
        _judge(name, turns, outcome)
        logged = all("wall clock jumped" in one.run.log for one in turns)
        outcome.check(logged, f"{name}: the jump is not logged")


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
        begins, ticks = edge.timestamp(), 2 * _TICKS

        def turn(
            number: int, part: Scene = part, begins: float = begins, ticks: int = ticks
        ) -> tuple[_Turn, bool]:
            zone = "America/New_York"
            _, calm = _run(part.part(f"calm-{number}"), "+0", "+0", zone, ticks)
            # The start takes longer on a busy machine: further from the edge in each turn.
            shift = f"+{begins - 6 - 6 * number - time.time():.0f}"
            run, arrivals = _run(part.part(f"edge-{number}"), shift, shift, zone, ticks)
            first, *_, last = (
                datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp()
                for line in run.stdout.splitlines()
            )
            return _Turn(run, _longest(arrivals), _longest(calm)), first < begins < last

        turns = _turns(turn)
        _judge(name, turns, outcome, ticks)
        crossed = [json.loads(line)["timestamp"] for line in turns[-1].run.stdout.splitlines()]
        outcome.note(f"from {crossed[0]} to {crossed[-1]}")
        edge_text = edge.isoformat().replace("+00:00", ".000Z")
        outcome.check(crossed[0] < edge_text < crossed[-1], f"{name}: the edge was not crossed")
