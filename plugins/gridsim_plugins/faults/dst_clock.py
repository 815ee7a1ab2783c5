"""The fault `dst_clock`: a clock that applies a daylight saving change late."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gridsim.api import (
    AffectedReadings,
    DeviceFault,
    Members,
    Register,
    Settings,
    Tick,
    Unit,
    hookimpl,
)

_QUARTER_MS = 900_000
_DAY_MS = 86_400_000


class DstClockSettings(Settings):
    """Settings of the fault `dst_clock`."""

    lasts_s: Annotated[float, Unit("s")] = Field(
        3600.0, gt=0, le=86_400, description="time after the change during which the clock is wrong"
    )


class DstClock(DeviceFault[DstClockSettings]):
    """Devices with a local clock that convert to UTC with the offset before the change.

    In spring, timestamps are an hour ahead. In autumn, they are an hour behind and repeat the
    hour before the change. The `timezone` of the site determines the changes.
    """

    Settings = DstClockSettings
    kept = ()

    def __init__(self, members: Members[DstClockSettings]) -> None:
        super().__init__(members)
        self._lasts_ms = np.rint(members.columns["lasts_s"] * 1000.0).astype(np.int64)
        self._quarter = -1
        self._changed_ms = np.zeros(len(members.sites), np.int64)
        """The last change of the offset of each site, within a day before the present quarter."""
        self._increase_ms = np.zeros(len(members.sites), np.int64)
        """The increase of the offset at that change; 0 without a change."""

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        quarter = tick.time_ms // _QUARTER_MS
        if quarter != self._quarter:
            self._look_back(quarter)
        site = self.members.site[affected.member]
        late = tick.time_ms - self._changed_ms[site] < self._lasts_ms[affected.member]
        affected.timestamp_ms += np.where(late, self._increase_ms[site], 0)

    def _look_back(self, quarter: int) -> None:
        """Find the last change of each site's offset; they fall on quarters of an hour."""
        self._quarter = quarter
        self._increase_ms[:] = 0
        if (self._offset(quarter) == self._offset(quarter - _DAY_MS // _QUARTER_MS)).all():
            return
        later = self._offset(quarter)
        for at in range(quarter, quarter - _DAY_MS // _QUARTER_MS, -1):
            earlier = self._offset(at - 1)
            found = (later != earlier) & (self._increase_ms == 0)
            self._changed_ms[found] = at * _QUARTER_MS
            self._increase_ms[found] = (later - earlier)[found]
            later = earlier

    def _offset(self, quarter: int) -> NDArray[np.int64]:
        time_ms = quarter * _QUARTER_MS
        return self.members.sites.local_ms(time_ms) - time_ms


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("dst_clock", DstClock)
