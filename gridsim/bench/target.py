"""The target of a measurement: a checked plan and its transport, with fleets of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gridsim.api import Benchmark
from gridsim.config.resolve import Flags
from gridsim.config.tables.transports import TransportChoice
from gridsim.config.text.environment import gather
from gridsim.config.text.load import read
from gridsim.errors import UsageError
from gridsim.running.parts import PlannedTransport
from gridsim.running.plan import Options, Plan, make_plan
from gridsim.running.probes import ask

BENCH_CONFIG = Path(__file__).with_name("bench.toml")
_LOAD = 0.2
"""The load on a broker of known capacity; each DER of the shipped fleet reports once a second."""


@dataclass(frozen=True, slots=True)
class BenchTarget:
    """A plan and the transport to measure."""

    plan: Plan
    choice: TransportChoice
    outlet: PlannedTransport
    benchmark: Benchmark
    """The measuring tools of the transport's protocol."""

    @property
    def ders(self) -> int:
        return len(self.plan.configuration.scenario.roster)

    @property
    def tick_s(self) -> float:
        return self.plan.configuration.tick_ms / 1000

    def ticks(self, seconds: float) -> int:
        """Return the number of ticks in `seconds` of simulated time; at least one."""
        return max(1, round(seconds / self.tick_s))


def find_target(options: Options) -> BenchTarget:
    """Return a configuration's plan with the first transport that can be measured.

    Raises UsageError if there is none.
    """
    plan = make_plan(options, files="none")
    choices = plan.configuration.transports
    found = plan.probes.first(choices, "measure")
    if found is None:
        names = ", ".join(choice.name for choice in choices)
        raise UsageError(
            f"{options.config}: error: gridsim bench cannot measure {names}. "
            f"It can measure: {plan.probes.names('measure')}"
        )
    choice, probe = found
    benchmark = ask(
        choice.name,
        lambda: probe.measure(choice.settings, choice.framing),
        "gridsim bench: error: ",
    )
    return BenchTarget(plan, choice, plan.transports[choices.index(choice)], benchmark)


def default_or_named(
    config: Path | None, overrides: Sequence[str], plugins: Sequence[Path]
) -> tuple[Options, BenchTarget]:
    """Return the user's configuration, or the shipped one, as large as its broker can handle."""
    options = _options(config or BENCH_CONFIG, overrides, plugins)
    target = find_target(options)
    capacity = target.benchmark.capacity_per_s
    if config is not None or capacity is None:
        return options, target
    # The user's overrides come last, so they take precedence.
    small = (*counts_for(options, round(_LOAD * capacity), target.ders), *overrides)
    options = _options(BENCH_CONFIG, small, plugins)
    return options, find_target(options)


def counts_for(options: Options, ders: int, ders_now: int) -> tuple[str, ...]:
    """Return overrides that change a fleet of `ders_now` devices to one of about `ders`.

    All stanzas whose id has a counter are scaled by the same factor. Raises UsageError if there
    is none.
    """
    document = read(options.config, overrides=options.overrides, environment=gather(Path.cwd()))
    scaled = []
    for index, project in enumerate(document.data.get("projects", [])):
        if "{n" in str(project.get("id", "")):
            count = max(1, round(project.get("count", 1) * ders / ders_now))
            scaled.append(f"projects.{index}.count={count}")
    if not scaled:
        raise UsageError(
            f"{options.config}: error: no [[projects]] stanza has {{n}} in its id, so the fleet's "
            "size cannot be changed; add {n} to an id"
        )
    return tuple(scaled)


def sized(options: Options, ders: int, ders_now: int) -> BenchTarget:
    """Return the target of the same configuration with about `ders` devices."""
    counts = counts_for(options, ders, ders_now)
    return find_target(_options(options.config, (*options.overrides, *counts), options.plugins))


def _options(config: Path, overrides: Sequence[str], plugins: Sequence[Path]) -> Options:
    # Speed 0 is for the plan only: each measurement sets its own speed.
    return Options(
        config=config, flags=Flags(speed=0.0), plugins=tuple(plugins), overrides=tuple(overrides)
    )
