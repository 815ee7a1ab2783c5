"""What is measured: a checked plan, its mqtt transport, and fleets of other sizes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gridsim.config.resolve import Flags
from gridsim.config.tables.model import TransportChoice
from gridsim.config.text.environment import gather
from gridsim.config.text.load import read
from gridsim.errors import UsageError
from gridsim.running.plan import Options, Plan, PlannedTransport, make_plan

BENCH_CONFIG = Path(__file__).with_name("bench.toml")
_ON_EMBEDDED_DERS = 1_000


@dataclass(frozen=True, slots=True)
class BenchTarget:
    """A plan, and the one of its transports that is measured."""

    plan: Plan
    choice: TransportChoice
    outlet: PlannedTransport

    @property
    def settings(self) -> Any:
        """The transport's own settings; the core does not know their class."""
        return self.choice.settings

    @property
    def ders(self) -> int:
        return len(self.plan.configuration.scenario.roster)

    @property
    def tick_s(self) -> float:
        return self.plan.configuration.tick_ms / 1000

    def ticks(self, seconds: float) -> int:
        """How many ticks of simulated time fill `seconds`; at least one."""
        return max(1, round(seconds / self.tick_s))


def find_target(options: Options) -> BenchTarget:
    """The plan of a configuration with an mqtt transport. Raises UsageError."""
    plan = make_plan(options)
    for choice, outlet in zip(plan.configuration.transports, plan.transports, strict=True):
        if choice.name.partition("#")[0] == "mqtt":
            return BenchTarget(plan, choice, outlet)
    raise UsageError(
        f"{options.config}: error: gridsim bench measures an mqtt transport, and there is none"
    )


def default_or_named(
    config: Path | None, overrides: Sequence[str], plugins: Sequence[Path]
) -> tuple[Options, BenchTarget]:
    """The user's configuration, or the one that comes along, as large as its broker takes."""
    options = _options(config or BENCH_CONFIG, overrides, plugins)
    target = find_target(options)
    if config is not None or not target.settings.embedded:
        return options, target
    # The user's own counts come later, and so win.
    small = (*counts_for(options, _ON_EMBEDDED_DERS, target.ders), *overrides)
    options = _options(BENCH_CONFIG, small, plugins)
    return options, find_target(options)


def counts_for(options: Options, ders: int, ders_now: int) -> tuple[str, ...]:
    """Overrides that make a fleet of about `ders`, where `options` makes one of `ders_now`.

    Stanzas whose id counts its projects grow and shrink alike. Raises UsageError if there are
    none.
    """
    document = read(options.config, overrides=options.overrides, environment=gather(Path.cwd()))
    scaled = []
    for index, project in enumerate(document.data.get("projects", [])):
        if "{n" in str(project.get("id", "")):
            count = max(1, round(project.get("count", 1) * ders / ders_now))
            scaled.append(f"projects.{index}.count={count}")
    if not scaled:
        raise UsageError(
            f"{options.config}: error: no id of [[projects]] has {{n}}, so the fleet cannot grow"
        )
    return tuple(scaled)


def sized(options: Options, ders: int, ders_now: int) -> BenchTarget:
    """The same configuration with about `ders` devices."""
    counts = counts_for(options, ders, ders_now)
    return find_target(_options(options.config, (*options.overrides, *counts), options.plugins))


def _options(config: Path, overrides: Sequence[str], plugins: Sequence[Path]) -> Options:
    # Speed 0 only for the plan: what is measured says for itself how fast it goes.
    return Options(
        config=config, flags=Flags(speed=0.0), plugins=tuple(plugins), overrides=tuple(overrides)
    )
