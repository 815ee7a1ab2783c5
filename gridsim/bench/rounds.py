"""Ways of sending the same messages, in turns: A B C A B C, so that all meet the same machine."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from gridsim.bench.broker import Broker
from gridsim.bench.plain_paho import as_records, best, script
from gridsim.bench.product import flat_out
from gridsim.bench.raw import raw
from gridsim.bench.sample import Sample
from gridsim.bench.survey import Survey
from gridsim.bench.target import BenchTarget

Way = Callable[[], Sample]
Say = Callable[[str], None]

GRIDSIM, RAW, SCRIPT, BEST = "gridsim", "raw", "paho_script", "paho_best"


@dataclass(frozen=True, slots=True)
class Speed:
    """Medians over the rounds."""

    messages_per_s: float
    records_per_s: float
    cpu_us_per_message: float
    rounds: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class FlatOut:
    """Every way has sent `messages` messages in every round."""

    messages: int
    records: int
    rounds: int
    ways: Mapping[str, Speed]
    ratios: Mapping[str, float]
    """gridsim's messages per second to those of each other way: the median of the rounds'."""


def ways(target: BenchTarget, broker: Broker, fleet: Survey, ticks: int) -> dict[str, Way]:
    """All of them, each with its material made."""
    records = as_records(fleet.stock)
    typical = fleet.typical()
    return {
        GRIDSIM: lambda: flat_out(target, fleet, ticks),
        RAW: lambda: raw(broker, typical, fleet.messages),
        SCRIPT: lambda: script(broker, records, fleet.messages),
        BEST: lambda: best(broker, fleet.stock, fleet.messages),
    }


def compare(ways: Mapping[str, Way], fleet: Survey, rounds: int, say: Say) -> FlatOut:
    """Runs the ways in turns; `ways` has one named `gridsim`."""
    samples: dict[str, list[Sample]] = {name: [] for name in ways}
    # The stock of messages would make every garbage collection slow, and no run has one.
    gc.collect()
    gc.freeze()
    try:
        for number in range(1, rounds + 1):
            say(f"flat out: round {number} of {rounds}, {fleet.messages:,} messages each way")
            for name, way in ways.items():
                samples[name].append(way())
    finally:
        gc.unfreeze()
    return FlatOut(
        messages=fleet.messages,
        records=fleet.records,
        rounds=rounds,
        ways={name: _speed(taken, fleet) for name, taken in samples.items()},
        ratios={
            name: ratio(samples[GRIDSIM], taken)
            for name, taken in samples.items()
            if name != GRIDSIM
        },
    )


def ratio(own: list[Sample], other: list[Sample]) -> float:
    """How many times as fast `own` is: each round by itself, then the median."""
    return median(b.seconds / a.seconds for a, b in zip(own, other, strict=True))


def _speed(taken: list[Sample], fleet: Survey) -> Speed:
    seconds = median(sample.seconds for sample in taken)
    return Speed(
        messages_per_s=fleet.messages / seconds,
        records_per_s=fleet.records / seconds,
        cpu_us_per_message=median(sample.cpu_s for sample in taken) / fleet.messages * 1e6,
        rounds=tuple(taken),
    )
