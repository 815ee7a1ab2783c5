"""The check before the first tick that a run will hold its rate: some ticks of a part of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import numpy as np
from loguru import logger

from gridsim.config.configuration import Configuration
from gridsim.contracts.shard import WHOLE
from gridsim.errors import NotHeldError
from gridsim.running.plan import Plan
from gridsim.simulation.step import Simulation

_SAMPLE: Final = 20_000
"""The largest number of devices that are measured."""
_TICKS: Final = 12
_REPEATS: Final = 2
"""The number of measurements that may follow one that is too slow; the best counts."""
_STEPPING_S: Final = 0.5
"""The time after which no more ticks are measured."""
_PATIENCE_S: Final = 10.0
"""The time after which a measurement is given up, for example because a plugin hangs."""
_HARMLESS: Final = 20_000.0
"""A rate in readings per second that a run in one process need not measure."""


@dataclass(slots=True)
class Expectation:
    """The real time that a tick is expected to take, as measured with some of the devices."""

    interval_s: float
    """The real time between two ticks."""
    measured: int
    """The number of devices that were measured."""
    devices: int
    models_s: float
    """The time of the models for all devices."""
    encoding_s: float
    """The time of all formats for all readings."""

    @property
    def tick_s(self) -> float:
        """The time of one tick."""
        return self.models_s + self.encoding_s

    @property
    def line(self) -> str:
        """The reason why the rate will not be held."""
        some = "" if self.measured == self.devices else f" ({self.measured:,} were measured)"
        return (
            f"a tick of {self.devices:,} DERs takes {_time(self.tick_s)}{some}: models "
            f"{_time(self.models_s)}, encoding {_time(self.encoding_s)}; one is due every "
            f"{_time(self.interval_s)}"
        )


def expectation(plan: Plan, speed: float) -> Expectation | None:
    """Return the expected time of a tick; None if it is not known, or need not be.

    The run itself is not touched: other objects of the same plugins are stepped.
    """
    configuration = plan.configuration
    if not speed:
        return None
    interval_s = configuration.tick_ms / 1000 / speed
    shard = (plan.options and plan.options.shard) or WHOLE
    devices = len(configuration.scenario.roster)
    if shard.is_whole and devices / interval_s < _HARMLESS:
        return None
    measurement = _Measurement(configuration)
    thread = threading.Thread(target=measurement.run, name="rate check", daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    measurement.given_up = thread.is_alive()
    if measurement.given_up or len(measurement.models) < 2:
        return None
    scale = devices / measurement.devices
    # The first tick makes what later ticks keep.
    models_s, encoding_s = (
        median(series[1:]) * scale for series in (measurement.models, measurement.encoding)
    )
    return Expectation(interval_s, measurement.devices, devices, models_s, encoding_s)


def check_rate(plan: Plan, speed: float) -> Expectation | None:
    """Return the expected time of a tick; warn if it is too long. Raises NotHeldError if the run
    must not begin.
    """
    expected = expectation(plan, speed)
    for _ in range(_REPEATS):
        if expected is None or expected.tick_s <= expected.interval_s:
            return expected
        # Other processes may be starting on this machine.
        again = expectation(plan, speed)
        expected = again and min(again, expected, key=lambda one: one.tick_s)
    if expected is None or expected.tick_s <= expected.interval_s:
        return expected
    shard = (plan.options and plan.options.shard) or WHOLE
    action = plan.configuration.execution.on_too_slow or ("warn" if shard.is_whole else "stop")
    if action == "stop":
        raise NotHeldError(
            f"shard {shard.name} will not hold its rate: {expected.line}. Use more shards or a "
            'lower speed, or set on_too_slow = "warn" in [execution] to run all the same'
        )
    logger.warning("the rate will not be held: {}", expected.line)
    return expected


@dataclass(slots=True)
class _Measurement:
    """Ticks of some of the projects, spread over all."""

    configuration: Configuration
    devices: int = 0
    models: list[float] = field(default_factory=list)
    """The real time of each tick, seconds."""
    encoding: list[float] = field(default_factory=list)
    given_up: bool = False
    now: Callable[[], float] = time.perf_counter

    def run(self) -> None:
        """Measure; an error of a plugin ends it, and shows itself in the run."""
        try:
            self._run()
        except Exception:
            self.models.clear()

    def _run(self) -> None:
        configuration, now = self.configuration, self.now
        scenario = configuration.scenario
        if len(scenario.roster) > _SAMPLE:
            every = -(-len(scenario.roster) // _SAMPLE)
            scenario = scenario.subset(np.arange(0, len(scenario.sites), every).tolist())
        roster = scenario.roster
        formats = [
            one.format_type(one.format_settings, one.framing, roster)
            for one in configuration.transports
            if not one.type.writes_columns
        ]
        simulation = Simulation(scenario)
        self.devices = len(roster)
        began = now()
        for _ in range(_TICKS):
            start = now()
            batch = simulation.advance().batch
            stepped = now()
            for format in formats:
                for _part in format.encode_parts(batch):
                    pass
            end = now()
            self.models.append(stepped - start)
            self.encoding.append(end - stepped)
            if self.given_up or (end - began > _STEPPING_S and len(self.models) > 1):
                return


def _time(seconds: float) -> str:
    """Write a duration with two significant digits."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1 or unit == "us":
            return (
                f"{seconds * factor:,.2g} {unit}"
                if seconds * factor < 100
                else (f"{seconds * factor:,.0f} {unit}")
            )
    raise AssertionError
