"""The load plugin `profile`."""

from __future__ import annotations

import numpy as np
from loguru import logger

from gridsim.api import Floats, Load, Members, Register, Tick, TickBlock, hookimpl
from gridsim_plugins.loads.profile.reading import read_profile
from gridsim_plugins.loads.profile.series import PowerSeries
from gridsim_plugins.loads.profile.settings import ProfileSettings


class ProfileLoad(Load[ProfileSettings]):
    """A load from a file; it equals the expected load, so the baseline is exact."""

    Settings = ProfileSettings
    kept = ()

    def __init__(self, members: Members[ProfileSettings]) -> None:
        """Read the files; raise ValueError if one cannot be used."""
        super().__init__(members)
        zones = np.array([members.sites.timezone[site] for site in members.site.tolist()])
        self._parts: list[tuple[PowerSeries, np.ndarray[tuple[int], np.dtype[np.intp]]]] = []
        for stanza, settings in enumerate(members.settings):
            series, description = read_profile(settings)
            logger.info(description)
            for zone in sorted(set(zones[members.stanza == stanza].tolist())):
                rows = np.flatnonzero((members.stanza == stanza) & (zones == zone))
                self._parts.append((series.on_clock(zone), rows))

    def at(self, tick: Tick) -> Floats:
        return self.expected(tick.time_ms)

    def block(self, ticks: TickBlock) -> Floats:
        members, times = self.members, ticks.times_ms
        result = np.empty((len(ticks), len(members)))
        local = np.stack([members.sites.local_ms(one) for one in times.tolist()])[:, members.site]
        for series, rows in self._parts:
            shape = len(ticks), len(rows)
            when = local[:, rows] if series.local else np.broadcast_to(times[:, None], shape)
            power = series.power(when.reshape(-1)).reshape(shape)
            result[:, rows] = power * members.columns["scale"][rows]
        return result

    def expected(self, time_ms: int) -> Floats:
        members, result = self.members, np.empty(len(self.members))
        local = members.sites.local_ms(time_ms)[members.site]
        for series, rows in self._parts:
            when = local[rows] if series.local else np.full(len(rows), time_ms, np.int64)
            result[rows] = series.power(when) * members.columns["scale"][rows]
        return result


@hookimpl
def gridsim_register(register: Register) -> None:
    register.load("profile", ProfileLoad)
