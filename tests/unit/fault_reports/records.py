"""The records of one home with a fault, and what differs in them."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fixtures.runs import HEAD, HOMES, Bench, Done, Record

TICKS = 60
START = datetime.fromisoformat("2026-06-21T15:00:00+00:00")
PV, BAT = "HOME_2_PV", "HOME_2_BAT"


def fault(text: str, *, ders: str = "HOME_2_*") -> str:
    return f'[[faults]]\nders = ["{ders}"]\n{text}\n'


# From tick 10 to before tick 30.
WINDOW = "after_s = 95\nduration_s = 200\n"


def seconds(record: Record) -> float:
    return (datetime.fromisoformat(record["timestamp"]) - START).total_seconds()


def power(record: Record) -> float:
    value = record["current_output"]
    assert isinstance(value, float)
    return value


@cache
def undisturbed() -> Done:
    with TemporaryDirectory() as folder:
        return Bench(Path(folder)).run(HEAD + HOMES, TICKS)


def differing(bench: Bench, text: str, der_id: str) -> list[tuple[Record, Record]]:
    """Runs without and with the fault; the records of a device, in pairs."""
    good = undisturbed()
    bad = bench.run(HEAD + HOMES + text, TICKS)
    for untouched in ("HOME_1_PV", "HOME_3_BAT"):
        assert bad.records(untouched) == good.records(untouched)
    return list(zip(good.records(der_id), bad.records(der_id), strict=True))
