"""The orders that follow from the commands in force, as columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gridsim.api import Floats, State
from gridsim.simulation.commands.lines import EVERYWHERE, Lines, Places
from gridsim.simulation.commands.storage import SocTargets
from gridsim.simulation.commands.targets import Level, ResolvedTarget, Slot
from gridsim.simulation.dispatch.orders import DeviceOrders, SiteOrders
from gridsim.simulation.scenario import Scenario

_LEVELS: tuple[Level, ...] = ("device", "project")


class Effects:
    """Lines for each level and kind of command, created when first needed."""

    def __init__(self, scenario: Scenario) -> None:
        self._rated = scenario.roster.nameplate_capacity
        self._project = scenario.roster.project
        self._sizes: dict[Level, int] = {
            "site": len(scenario.sites),
            "project": len(self._rated),
            "device": len(self._rated),
        }
        self._lines: dict[tuple[Level, Slot], Lines] = {}
        self._storage: dict[Level, SocTargets] = {}
        self._cached: tuple[DeviceOrders | None, SiteOrders | None] | None = None

    def state(self) -> State:
        """Return what a checkpoint keeps; the orders are computed again from it."""
        return {
            "lines": [[*key, lines.state()] for key, lines in self._lines.items()],
            "storage": [[level, targets.state()] for level, targets in self._storage.items()],
        }

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state."""
        for level, slot, lines in state["lines"]:
            self._at(level, slot).restore(lines)
        for level, targets in state["storage"]:
            self._targets_at(level).restore(targets)

    def begin(
        self, aim: ResolvedTarget, period: int, present: Floats, begin_ms: int, ramp_s: float
    ) -> None:
        """Put a period of a command into force from `begin_ms`.

        `present` is the present power at each of the places, kW, where a ramp of power begins.
        A ramp of a limit begins at the present limit.
        """
        lines = self._at(aim.level, aim.slot)
        start = present
        if aim.slot != "power":
            if aim.level == "site":
                bound = self._column("site", aim.slot, begin_ms, aim.places)
            else:
                bound = self._bound(aim.slot, begin_ms, aim.places)
            start = self._unbound(aim, period, present)
            if bound is not None:
                start = np.where(np.isnan(bound), start, bound)
        lines.put(aim.places, start, aim.values[period], begin_ms, 1000.0 * ramp_s)
        self._cached = None

    def begin_storage(self, aim: ResolvedTarget) -> None:
        """Put a command into force whose values are target states of charge."""
        self._targets_at(aim.level).put(aim.places, aim.values[0])
        self._cached = None

    def end(self, aim: ResolvedTarget) -> None:
        self._at(aim.level, aim.slot).clear(aim.places)
        if aim.slot == "power" and aim.level in self._storage:
            self._storage[aim.level].clear(aim.places)
        self._cached = None

    def arrived(self) -> Iterator[tuple[Level, int]]:
        """Yield the owners of target_soc commands that a device has just reached."""
        for level, targets in self._storage.items():
            owners = targets.arrived
            if level == "project":
                owners = np.unique(self._project[owners])
            yield from ((level, owner) for owner in owners.tolist())

    def reached(self, aim: ResolvedTarget) -> bool:
        """Return whether every storage that is present has reached its target."""
        return self._storage[aim.level].all_reached(aim.places)

    def orders(
        self, time_ms: float, soc: Floats | None, power: Floats | None
    ) -> tuple[DeviceOrders | None, SiteOrders | None]:
        """Return the orders at `time_ms`, None if there are none; called once per tick.

        `soc` and `power` are those of `SocTargets.advance`.
        """
        aimed: dict[Level, Floats] = {}
        if soc is not None and power is not None:
            aimed = {
                level: targets.advance(soc, power)
                for level, targets in self._storage.items()
                if targets.any
            }
        if self._cached is not None and not aimed:
            return self._cached
        made = self._devices(time_ms, aimed), self._sites(time_ms)
        still = not any(lines.moves_at(time_ms) for lines in self._lines.values())
        self._cached = made if still and not aimed else None
        return made

    def _devices(self, time_ms: float, aimed: dict[Level, Floats]) -> DeviceOrders | None:
        if not aimed and not any(level in _LEVELS for level, _ in self._lines):
            return None
        orders = DeviceOrders.none(len(self._rated))
        setpoint, low, high = orders.setpoint_kw, orders.min_kw, orders.max_kw
        for level in _LEVELS:
            for column in (aimed.get(level), self._column(level, "power", time_ms)):
                if column is not None:
                    np.copyto(setpoint, column, where=np.isnan(setpoint))
        both = self._bound("limit_power", time_ms)
        for bound in (both, self._bound("limit_export", time_ms)):
            if bound is not None:
                np.fmin(high, bound, out=high)
        for bound in (both, self._bound("limit_import", time_ms)):
            if bound is not None:
                np.fmax(low, -bound, out=low)
        opened = self._bound("connection", time_ms)
        disconnected = None if opened is None else opened > 0.5
        if disconnected is not None:
            high[disconnected] = 0.0
            low[disconnected] = 0.0
        for array in (setpoint, low, high):
            array.flags.writeable = False
        return replace(orders, disconnected=disconnected)

    def _sites(self, time_ms: float) -> SiteOrders | None:
        if not any(level == "site" for level, _ in self._lines):
            return None
        orders = SiteOrders.none(self._sizes["site"])
        slots: tuple[tuple[Slot, Floats], ...] = (
            ("power", orders.output_kw),
            ("limit_export", orders.export_kw),
            ("limit_import", orders.import_kw),
        )
        for slot, into in slots:
            column = self._column("site", slot, time_ms)
            if column is not None:
                np.copyto(into, column, where=~np.isnan(column))
        return orders

    def _bound(self, slot: Slot, time_ms: float, places: Places = EVERYWHERE) -> Floats | None:
        """Return the limits of devices; a device's own command overrides its project's."""
        own, other = (self._column(level, slot, time_ms, places) for level in _LEVELS)
        if own is None or other is None:
            return own if other is None else other
        return np.where(np.isnan(own), other, own)

    def _column(
        self, level: Level, slot: Slot, time_ms: float, places: Places = EVERYWHERE
    ) -> Floats | None:
        lines = self._lines.get((level, slot))
        return None if lines is None else lines.at(time_ms, places)

    def _at(self, level: Level, slot: Slot) -> Lines:
        lines = self._lines.get((level, slot))
        if lines is None:
            lines = self._lines[level, slot] = Lines(self._sizes[level])
        return lines

    def _targets_at(self, level: Level) -> SocTargets:
        targets = self._storage.get(level)
        if targets is None:
            targets = self._storage[level] = SocTargets(self._rated)
        return targets

    def _unbound(self, aim: ResolvedTarget, period: int, present: Floats) -> Floats:
        """Return the start of a limit's ramp if there was no limit before.

        It is the rated power of a device. A site has no rating: its ramp starts at the present
        power, or at the limit itself if that is higher.
        """
        if aim.level != "site":
            return self._rated[aim.places]
        sign = -1.0 if aim.slot == "limit_export" else 1.0
        start: Floats = np.maximum(sign * present, aim.values[period])
        return start
