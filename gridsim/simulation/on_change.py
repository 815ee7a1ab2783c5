"""Reports on change: the devices whose values have changed since their last reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Roster, State, StateError, Stateful, Staying

OF_SITES = ("power_meter_measurement", "baseline")
OF_DEVICES = ("current_output", "current_soc")
CHANGING = (*OF_DEVICES, *OF_SITES)
"""The fields of the record that can be compared, besides the columns of DER types."""

# Two rounded values differ by more than this, or are equal.
_ANY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """One column of the devices that compare it."""

    name: str
    device: NDArray[np.intp]
    place: NDArray[np.intp]
    """The index of each device's value in the values of the column."""
    deadband: Floats
    digits: int


class ChangeReports(Stateful):
    """The devices that report on change, with the values of their last readings.

    The values are true, and rounded like those of readings. A change is reported if it is at
    least the deadband, or if a value appears or disappears.
    """

    kept = ("_last",)

    def __init__(
        self, roster: Roster, deadbands: Mapping[str, Floats], digits: Mapping[str, int]
    ) -> None:
        """Make the reports; `digits` are the decimals of each column in readings."""
        self.members: NDArray[np.bool_] = np.zeros(len(roster), np.bool_)
        """True for devices that report on change, bool[n]."""
        self._columns: list[_Compared] = []
        for name, deadband in deadbands.items():
            device = np.flatnonzero(~np.isnan(deadband))
            self.members[device] = True
            place = roster.project[device] if name in OF_SITES else device
            least = np.maximum(deadband[device], _ANY)
            self._columns.append(_Compared(name, device, place, least, digits[name]))
        # Every value differs from infinity: a device reports in its first tick.
        self._last: dict[str, Floats] = {
            one.name: np.full(len(one.device), np.inf) for one in self._columns
        }

    def restore(self, state: State) -> None:
        """Take over a state. Raises StateError if other values are compared now."""
        sizes = {name: len(last) for name, last in self._last.items()}
        super().restore(state)
        if {name: len(last) for name, last in self._last.items()} != sizes:
            raise StateError("the checkpoint has other devices or columns that report on change")

    def carry_over(self, older: ChangeReports, staying: Staying) -> None:
        """Copy the last readings of the devices that stay."""
        before = {one.name: one for one in older._columns}
        for one in self._columns:
            if one.name in before:
                same = staying.within(one.device, before[one.name].device)
                self._last[one.name][same.new] = older._last[one.name][same.old]

    def changed(self, values: Mapping[str, Floats]) -> NDArray[np.bool_]:
        """Return the devices with a change to report, bool[n]; `values` are rounded."""
        changed = np.zeros(len(self.members), np.bool_)
        for one in self._columns:
            now, last = values[one.name][one.place], self._last[one.name]
            # Rounded, because 0.3 - 0.2 is less than 0.1.
            difference = np.round(np.abs(now - last), one.digits)
            hit = (difference >= one.deadband) | (np.isnan(now) != np.isnan(last))
            changed[one.device[hit]] = True
        return changed

    def note(self, values: Mapping[str, Floats], reports: NDArray[np.bool_]) -> None:
        """Keep the values of the devices that report, bool[n]."""
        for one in self._columns:
            rows = reports[one.device]
            self._last[one.name][rows] = values[one.name][one.place[rows]]
