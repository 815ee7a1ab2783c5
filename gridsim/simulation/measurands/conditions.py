"""The conditions of devices that they report themselves: alarms, and the states that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import ALARMS, Floats
from gridsim.contracts.codes import STATES
from gridsim.contracts.measurands import ALARMS_COLUMN, STATE_COLUMN
from gridsim.simulation.scenario import Scenario

Bits = NDArray[np.int64]

# The range of continuous operation: IEEE 1547-2018, 6.4.2 and 6.5.2 (58.5 Hz is the trip setting).
LEAST_PU, MOST_PU = 0.88, 1.10
_HZ: Final = {50.0: (47.5, 51.5), 60.0: (58.5, 61.2)}
"""The limits of the frequency by its nominal value: EN 50549-1 at 50 Hz, IEEE 1547-2018 at 60."""
_STATE = {name: float(number) for number, name in STATES.names.items()}
# The first number of the statuses of chargers.
_CHARGERS = _STATE["Available"]


def bit(name: str) -> int:
    """Return the bit mask of an alarm by its name in `ALARMS`."""
    return next(1 << number for number, one in ALARMS.names.items() if one == name)


class Limits:
    """The limits of a value of the grid at each site, and the alarms beyond them."""

    def __init__(self, low: Floats, high: Floats, under: str, over: str) -> None:
        """Take the limits, float64[sites], and the names of their alarms."""
        self._low, self._high = low, high
        self._under, self._over = bit(under), bit(over)

    @classmethod
    def of_voltage(cls, nominal: Floats) -> Limits:
        """Return the limits of voltages; `nominal` is float64[sites], V."""
        return cls(LEAST_PU * nominal, MOST_PU * nominal, "AC_UNDER_VOLT", "AC_OVER_VOLT")

    @classmethod
    def of_frequency(cls, nominal: Floats) -> Limits:
        """Return the limits of frequencies; `nominal` is float64[sites], Hz."""
        low, high = (np.where(nominal < 55.0, _HZ[50.0][end], _HZ[60.0][end]) for end in (0, 1))
        return cls(low, high, "UNDER_FREQUENCY", "OVER_FREQUENCY")

    def alarms(self, values: Floats) -> Bits | None:
        """Return the alarms of values, float64[..., sites], none for NaN; None: no alarm at all."""
        under, over = values < self._low, values > self._high
        if not (under.any() or over.any()):
            return None
        return (under * self._under | over * self._over).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class DeviceFaultiness:
    """The effects of faults that devices notice, in a tick."""

    stopped: NDArray[np.bool_] | None
    """The devices that faults have stopped, bool[n]; None: no device."""
    alarms: Bits
    """The alarms that faults raise, bit masks, int64[n]."""


class Conditions:
    """The states and alarms of devices that are disconnected, or that faults affect."""

    def __init__(self, scenario: Scenario) -> None:
        self._has_alarms = ALARMS_COLUMN in scenario.measurands
        self._with_state = np.zeros(len(scenario.roster), np.bool_)
        for fleet in scenario.fleets:
            self._with_state[fleet.device] = STATE_COLUMN in fleet.members.wanted
        self._has_state = bool(self._with_state.any())

    def applied(
        self,
        extra: Mapping[str, Floats],
        disconnected: NDArray[np.bool_] | None,
        faulty: DeviceFaultiness | None,
    ) -> Mapping[str, Floats]:
        """Return the further columns of a tick with the conditions of the devices.

        `disconnected` are the devices that a command has disconnected, bool[n].
        """
        if disconnected is None and faulty is None:
            return extra
        changed: dict[str, Floats] = {}
        if self._has_alarms:
            bits = extra[ALARMS_COLUMN].astype(np.int64)
            if disconnected is not None:
                bits |= disconnected * bit("AC_DISCONNECT")
            if faulty is not None:
                bits |= faulty.alarms
            changed[ALARMS_COLUMN] = bits.astype(np.float64)
        if self._has_state:
            stopped = None if faulty is None else faulty.stopped
            changed[STATE_COLUMN] = self._states(extra[STATE_COLUMN], disconnected, stopped)
        return {**extra, **changed}

    def _states(
        self,
        reported: Floats,
        disconnected: NDArray[np.bool_] | None,
        stopped: NDArray[np.bool_] | None,
    ) -> Floats:
        """Return the states, float64[n]. A charger with a car finishes its session first."""
        charger = reported >= _CHARGERS
        state = reported.copy()
        if disconnected is not None:
            free = reported <= _STATE["Preparing"]
            state[self._with_state & disconnected & charger & free] = _STATE["Unavailable"]
            state[self._with_state & disconnected & ~charger] = _STATE["OFF"]
        if stopped is not None:
            off = self._with_state & stopped
            state[off] = np.where(charger[off], _STATE["Faulted"], _STATE["FAULT"])
        return state
