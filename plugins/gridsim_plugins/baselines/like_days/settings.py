"""Settings of the baseline `like_days`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gridsim.api import Settings, Unit


class LikeDaysSettings(Settings):
    """Settings of the baseline `like_days`."""

    days: int = Field(10, ge=1, le=60, description="number of working days that are averaged")
    weekend_days: int = Field(
        4, ge=1, le=30, description="number of Saturdays and Sundays that are averaged"
    )
    slot_min: Annotated[Literal[5, 10, 15, 30, 60], Unit("min")] = Field(
        15, description="length of the slots of a day that are averaged"
    )
    adjustment: Annotated[float, Unit("%")] = Field(
        20.0,
        ge=0.0,
        le=100.0,
        description="largest change of the mean by the day-of adjustment, up or down, from an "
        "event's notice to its end; 0: no adjustment",
    )
    adjustment_h: Annotated[float, Unit("h")] = Field(
        3.0, gt=0.0, le=24.0, description="hours over which consumption is compared with the mean"
    )
    adjustment_gap_h: Annotated[float, Unit("h")] = Field(
        1.0, ge=0.0, le=24.0, description="hours between the end of that time and the notice"
    )

    @property
    def slot_ms(self) -> int:
        """The length of a slot of the day, a whole number of minutes."""
        return self.slot_min * 60_000

    @property
    def cap(self) -> float:
        """The largest relative change of the mean by the day-of adjustment; 0: no adjustment."""
        return self.adjustment / 100.0

    @property
    def window_slots(self) -> int:
        """The number of whole slots that the adjustment compares."""
        return max(round(self.adjustment_h * self._slots_per_h), 1)

    @property
    def gap_slots(self) -> int:
        """The number of whole slots between them and the notice."""
        return round(self.adjustment_gap_h * self._slots_per_h)

    @property
    def _slots_per_h(self) -> float:
        return 60 / self.slot_min
