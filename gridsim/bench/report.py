"""The result of a bench: one object of stable shape (`--json`), and lines of text.

Keys are never renamed or removed; a key that does not apply has the value null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gridsim.api import FarEnd
from gridsim.bench.footprint import Memory
from gridsim.bench.machine import Machine
from gridsim.bench.ramp import Ramp, step_line
from gridsim.bench.realtime import Lag, RealTime
from gridsim.bench.rounds import FlatOut


@dataclass(frozen=True, slots=True)
class BenchFleet:
    config: str
    projects: int
    ders: int
    tick_s: float


@dataclass(frozen=True, slots=True)
class BenchReport:
    gridsim: str
    machine: Machine
    broker: FarEnd
    fleet: BenchFleet
    wire: Mapping[str, str | int | float | bool]
    """The protocol's own settings, `framing`, and the mean `payload_bytes` and `packet_bytes`."""
    wire_text: str
    """The protocol and its settings in words; not in the JSON."""
    real_time: RealTime | None
    memory: Memory | None
    flat_out: FlatOut | None
    ramp: Ramp | None

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        found = asdict(self)
        del found["wire_text"]
        if self.flat_out is not None:
            del found["flat_out"]["titles"]
        return found


def lines(report: BenchReport) -> Iterator[str]:
    """Yield the report as lines of text."""
    machine, broker, fleet, wire = report.machine, report.broker, report.fleet, report.wire
    tls = ", TLS" if broker.tls else ""
    yield f"machine   {machine.cpu}, {machine.cores} cores, {machine.python}, {machine.os}"
    yield f"gridsim   {report.gridsim}, {fleet.config}"
    yield f"broker    {broker.version}, {broker.host}:{broker.port}{tls}"
    yield (
        f"fleet     {fleet.ders:,} DERs in {fleet.projects:,} projects, tick of {fleet.tick_s:g} s"
    )
    yield (
        f"wire      {report.wire_text}, framing {wire['framing']}, "
        f"payload {wire['payload_bytes']:.0f} bytes, packet {wire['packet_bytes']:.0f} bytes"
    )
    if report.real_time is not None:
        yield ""
        yield from _real_time(report.real_time)
    if report.memory is not None:
        yield f"  {_memory(report.memory)}"
    if report.flat_out is not None:
        yield ""
        yield from _flat_out(report.flat_out)
    if report.ramp is not None:
        yield ""
        yield from map(step_line, report.ramp.steps)
        yield (
            f"the largest fleet that held its rate for {report.ramp.seconds:g} s: "
            f"{report.ramp.largest_held:,} DERs"
        )


def _real_time(run: RealTime) -> Iterator[str]:
    verdict = "held" if run.held else "NOT held"
    yield f"in real time, {run.ticks} ticks at {run.rate_hz:g} Hz: {verdict}"
    yield (
        f"  {run.records:,} records, {run.delivered:,} confirmed, {run.dropped:,} lost; "
        f"CPU {run.cpu_cores:.2f} cores"
    )
    yield f"  tick lag {_lag(run.tick_lag)}; confirmed {_lag(run.confirmed)} after the tick"
    yield f"  broker lag {_lag(run.broker_lag) if run.broker_lag else 'unknown'}"


def _memory(memory: Memory) -> str:
    text = f"memory {memory.end_mb:.0f} MB, at its peak {memory.peak_mb:.0f} MB"
    if memory.kb_per_1000_ders is None:
        return text
    return f"{text}; {memory.kb_per_1000_ders:,.0f} kB for each further 1,000 DERs"


def _flat_out(flat: FlatOut) -> Iterator[str]:
    rounds = "one round" if flat.rounds == 1 else f"median of {flat.rounds} rounds in turns"
    yield f"full speed, {rounds}, {flat.messages:,} messages per client"
    yield f"  {'':<32} {'messages/s':>11} {'records/s':>11} {'CPU/message':>12}"
    for name, speed in flat.ways.items():
        title = flat.titles[name]
        yield (
            f"  {title:<32} {speed.messages_per_s:>11,.0f} {speed.records_per_s:>11,.0f} "
            f"{speed.cpu_us_per_message:>9.2f} us"
        )
    for name, ratio in flat.ratios.items():
        yield f"  gridsim / {flat.titles[name]}: {ratio:.2f}"


def _lag(lag: Lag) -> str:
    return f"p50 {lag.p50_ms:.1f} ms, p99 {lag.p99_ms:.1f} ms"
