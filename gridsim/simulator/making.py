"""The creation of instructions from a program's arguments, checked as far as possible before the
tick.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from datetime import timedelta
from typing import Any, Final

import numpy as np

from gridsim.api import (
    Action,
    CallEvent,
    CancelEvent,
    ClearFault,
    Command,
    InjectFault,
    Target,
    find_target,
)
from gridsim.config.tables.events import Event
from gridsim.config.tables.faults import FaultSettings
from gridsim.contracts.instruction_rules import CommandUnit, Period, read_periods
from gridsim.plugins.registry import Registry
from gridsim.simulation.scenario import Scenario
from gridsim.simulator.times import Duration, Time, duration_s, plain_value, time_ms

Periods = Sequence[tuple[Duration, float]]
"""The values of a command over time: the time since its start, and the value from then on."""
Sendable = Command | CallEvent | CancelEvent | InjectFault | ClearFault

_SOURCE: Final = "python"
"""The name of the source of instructions, in acknowledgements."""


class InstructionMaker:
    """A maker of well-formed instructions; all methods raise ValueError for invalid arguments."""

    def __init__(self, scenario: Scenario, registry: Registry, timezone: str) -> None:
        self._scenario, self._registry, self._timezone = scenario, registry, timezone
        self._made = 0

    def copied(self) -> InstructionMaker:
        """Return a separate maker that continues the count."""
        return copy(self)

    def command(
        self,
        target: str,
        action: Action,
        value: float | None,
        unit: CommandUnit | None,
        start: Time | None,
        duration: Duration | None,
        ramp: Duration | None,
        id: str | None,
        periods: Periods | None,
        stack_level: int,
    ) -> Command:
        """Return a command."""
        found, _ = self._find(target, action)
        return Command(
            found,
            self._next_id() if id is None else id,
            action,
            _plain(value),
            unit,
            None if start is None else time_ms(start, self._timezone, "start"),
            None if duration is None else duration_s(duration, "duration"),
            0.0 if ramp is None else duration_s(ramp, "ramp"),
            _SOURCE,
            periods=() if periods is None else _periods(periods),
            stack_level=stack_level,
        )

    def call_event(
        self, event: str, target: str, keys: Mapping[str, Any], now_ms: int
    ) -> CallEvent:
        """Return the call of an event."""
        found, patterns = self._find(target, "call_event")
        settings = _settings({**patterns, **keys}, Event.model_fields)
        call = CallEvent(found, self._next_id(), event, settings, _SOURCE)
        if self._scenario.binder is not None:
            self._scenario.binder.event(call, self._scenario, now_ms)
        return call

    def cancel_event(self, event: str, target: str) -> CancelEvent:
        """Return the end of an event."""
        found, _ = self._find(target, "cancel_event")
        return CancelEvent(found, self._next_id(), event, _SOURCE)

    def inject(
        self, fault: str, target: str, id: str, keys: Mapping[str, Any], now_ms: int
    ) -> InjectFault:
        """Return the injection of a fault of a type."""
        found, patterns = self._find(target, "inject_fault")
        entry = self._registry.find("fault", fault)
        own: Collection[str] = () if entry is None else entry.type.Settings.model_fields
        settings = _settings({**patterns, **keys}, {*FaultSettings.model_fields, *own})
        inject = InjectFault(found, self._next_id(), id, {"type": fault, **settings}, _SOURCE)
        if self._scenario.binder is not None:
            self._scenario.binder.fault(inject, self._scenario, now_ms)
        return inject

    def clear(self, fault: str, target: str) -> ClearFault:
        """Return the end of a fault."""
        found, _ = self._find(target, "clear_fault")
        return ClearFault(found, self._next_id(), fault, _SOURCE)

    def _find(self, target: str, action: str) -> tuple[Target, dict[str, list[str]]]:
        if not isinstance(target, str):
            raise TypeError(f"target must be an id or a pattern, not {type(target).__name__}")
        return find_target(self._scenario.roster, target, action)

    def _next_id(self) -> str:
        self._made += 1
        return f"{_SOURCE}-{self._made}"


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _periods(given: Periods) -> tuple[Period, ...]:
    """Return the periods of (start, value) pairs. Raises ValueError."""
    made = []
    for place, pair in enumerate(given):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(f'periods[{place}] must be a start and a value, such as ("10m", 1.5)')
        start, value = pair
        made.append(Period(duration_s(start, f"the start of periods[{place}]"), _plain(value)))
    return read_periods(made)


def _settings(given: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return the keys of an event or a fault as the configuration has them.

    Where the configuration has a key `X_s` in seconds, `X` may be any duration. `known` are its
    keys. A single text is a list where the key is `projects` or `ders`. None leaves a key out.
    """
    settings: dict[str, Any] = {}
    for key, value in given.items():
        if value is None:
            continue
        in_seconds = f"{key}_s"
        if key not in known and in_seconds in known:
            key = in_seconds
        if key.endswith("_s") and isinstance(value, str | timedelta):
            value = duration_s(value, key.removesuffix("_s"))
        if key in ("projects", "ders"):
            value = [value] if isinstance(value, str) else list(value)
        if key in settings:
            raise ValueError(f"{key.removesuffix('_s')} is given twice")
        settings[key] = plain_value(value)
    return settings
