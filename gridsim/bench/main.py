"""The steps of `gridsim bench`, from its options to its report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gridsim.bench.footprint import Memory, footprint
from gridsim.bench.machine import machine
from gridsim.bench.ramp import Ramp, ramp
from gridsim.bench.realtime import RealTime, real_time
from gridsim.bench.reference import reach
from gridsim.bench.report import BenchFleet, BenchReport
from gridsim.bench.rounds import FlatOut, compare, ways
from gridsim.bench.survey import Survey, survey
from gridsim.bench.target import BenchTarget, default_or_named
from gridsim.errors import UsageError
from gridsim.running.plan import Options
from gridsim.text.progress import Progress
from gridsim.version import __version__


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """The options of the command line."""

    config: Path | None = None
    overrides: tuple[str, ...] = ()
    plugins: tuple[Path, ...] = ()
    seconds: float = 10.0
    """The duration of the fleet's readings, s.

    They are sent once in real time, and by every client in every round.
    """
    runs: int = 5
    ramp: bool = False
    """Search for the largest fleet instead of comparing."""
    ramp_seconds: float = 60.0


def bench(
    options: BenchOptions, say: Callable[[str], None], progress: Progress | None = None
) -> BenchReport:
    """Measure, report to `say` and `progress`, and return the result.

    Raises UsageError for invalid options, NeverConnectedError if the broker cannot be reached, and
    GridsimError if it drops the connection or does not confirm every reading.
    """
    _check(options)
    progress = progress or Progress()
    chosen, target = default_or_named(options.config, options.overrides, options.plugins)
    try:
        if options.ramp:
            found = ramp(chosen, target, options.ramp_seconds, say, progress)
            return _report(target, survey(target, 1), climbed=found)
        return _compare(options, chosen, target, say, progress)
    finally:
        target.plan.close()


def _compare(
    options: BenchOptions,
    chosen: Options,
    target: BenchTarget,
    say: Callable[[str], None],
    progress: Progress,
) -> BenchReport:
    say(f"in real time for {options.seconds:g} s: {target.ders:,} DERs")
    paced = real_time(target, options.seconds, progress)
    progress.begin("measuring memory")
    held = footprint(chosen, target)
    ticks = target.ticks(options.seconds)
    fleet = survey(target, ticks)
    if not fleet.messages:
        raise UsageError(
            f"--seconds: error: this fleet sends no message in {options.seconds:g} s; "
            "use a larger value"
        )
    flat = compare(ways(target, fleet, ticks), fleet, options.runs, say, progress)
    return _report(target, fleet, paced=paced, held=held, flat=flat)


def _report(
    target: BenchTarget,
    fleet: Survey,
    *,
    paced: RealTime | None = None,
    held: Memory | None = None,
    flat: FlatOut | None = None,
    climbed: Ramp | None = None,
) -> BenchReport:
    benchmark = target.benchmark
    roster = target.plan.configuration.scenario.roster
    return BenchReport(
        gridsim=__version__,
        machine=machine(),
        broker=reach(target.choice.name, benchmark.far_end),
        fleet=BenchFleet(
            str(target.plan.config), len(roster.project_id), len(roster), target.tick_s
        ),
        wire={
            **benchmark.wire,
            "framing": target.choice.framing,
            "payload_bytes": fleet.payload_bytes,
            "packet_bytes": fleet.packet_bytes,
        },
        wire_text=benchmark.describe_wire(),
        real_time=paced,
        memory=held,
        flat_out=flat,
        ramp=climbed,
    )


def _check(options: BenchOptions) -> None:
    for flag, value, least in (
        ("--seconds", options.seconds, 1.0),
        ("--ramp-seconds", options.ramp_seconds, 1.0),
        ("--runs", options.runs, 1),
    ):
        if not least <= value <= 86_400:
            raise UsageError(f"{flag}: error: {value:g} is not in the range {least:g} to 86,400")
