"""The comparison of several clients that send the same messages alternately: A B C A B C."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median

from gridsim.bench.product import flat_out
from gridsim.bench.reference import send
from gridsim.bench.sample import Sample
from gridsim.bench.survey import Survey
from gridsim.bench.target import BenchTarget
from gridsim.running.probes import ask
from gridsim.text.progress import Progress

Say = Callable[[str], None]

GRIDSIM = "gridsim"


@dataclass(frozen=True, slots=True)
class Way:
    """A client that sends the fleet's messages: gridsim or a reference client."""

    title: str
    """The name in the text report."""
    run: Callable[[], Sample]


@dataclass(frozen=True, slots=True)
class Speed:
    """The speed of one client: medians over the rounds."""

    messages_per_s: float
    records_per_s: float
    cpu_us_per_message: float
    rounds: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class FlatOut:
    """The speed of each client; each sent `messages` messages in every round."""

    messages: int
    records: int
    rounds: int
    ways: Mapping[str, Speed]
    titles: Mapping[str, str]
    """The clients' names in the text report; not in the JSON."""
    ratios: Mapping[str, float]
    """gridsim's messages per second divided by each other client's: the median over the rounds."""


def ways(target: BenchTarget, fleet: Survey, ticks: int) -> dict[str, Way]:
    """Return gridsim and the reference clients of its protocol, by name."""
    name = target.choice.name
    clients = ask(name, lambda: target.benchmark.references(fleet.stock, fleet.typical()))
    found = {GRIDSIM: Way("gridsim", lambda: flat_out(target, fleet, ticks))}
    for client in clients:
        found[client.name] = Way(client.title, partial(send, name, client, fleet.messages))
    return found


def compare(
    ways: Mapping[str, Way], fleet: Survey, rounds: int, say: Say, progress: Progress
) -> FlatOut:
    """Run the clients in turns; one of them is named `gridsim`."""
    samples: dict[str, list[Sample]] = {name: [] for name in ways}
    # The stored messages would slow down every garbage collection; a normal run stores none.
    gc.collect()
    gc.freeze()
    progress.begin("full speed", rounds * len(ways))
    try:
        for number in range(1, rounds + 1):
            say(f"full speed: round {number} of {rounds}, {fleet.messages:,} messages per client")
            for name, way in ways.items():
                samples[name].append(way.run())
                progress.advance()
    finally:
        gc.unfreeze()
    return FlatOut(
        messages=fleet.messages,
        records=fleet.records,
        rounds=rounds,
        ways={name: _speed(taken, fleet) for name, taken in samples.items()},
        titles={name: way.title for name, way in ways.items()},
        ratios={
            name: ratio(samples[GRIDSIM], taken)
            for name, taken in samples.items()
            if name != GRIDSIM
        },
    )


def ratio(own: list[Sample], other: list[Sample]) -> float:
    """Return the speed of `own` divided by that of `other`: the median over the rounds."""
    return median(b.seconds / a.seconds for a, b in zip(own, other, strict=True))


def _speed(taken: list[Sample], fleet: Survey) -> Speed:
    seconds = median(sample.seconds for sample in taken)
    return Speed(
        messages_per_s=fleet.messages / seconds,
        records_per_s=fleet.records / seconds,
        cpu_us_per_message=median(sample.cpu_s for sample in taken) / fleet.messages * 1e6,
        rounds=tuple(taken),
    )
