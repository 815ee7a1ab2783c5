"""The names of coded measurands: the states of devices, and the bits of their alarms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

CodeForm = Literal["number", "text"]
"""The form in which a format writes coded measurands: their numbers, or their names."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The names of the values of a measurand."""

    names: Mapping[int, str]
    """The name of each value, or with `of_bits` of each bit, from 0."""
    of_bits: bool = False
    """True if a value is a bit mask: its text has the names of its bits, with spaces between."""

    def text(self, value: int) -> str:
        """Return the text of a value. A number without a name stays a number."""
        if not self.of_bits:
            return self.names.get(value, str(value))
        bits = [bit for bit in range(value.bit_length()) if value >> bit & 1]
        return " ".join(self.names.get(bit, str(bit)) for bit in bits)

    def texts(self, values: NDArray[np.float64]) -> dict[float, str]:
        """Return the text of each distinct value; NaN, a missing value, has none."""
        present = values[~np.isnan(values)]
        return {value: self.text(int(value)) for value in np.unique(present).tolist()}


STATES: Final = Codes(
    {
        # SunSpec models 101 to 103, St.
        1: "OFF",
        2: "SLEEPING",
        3: "STARTING",
        4: "MPPT",
        5: "THROTTLED",
        6: "SHUTTING_DOWN",
        7: "FAULT",
        8: "STANDBY",
        # OCPP 1.6, section 7.7: 100 and the place in its list.
        101: "Available",
        102: "Preparing",
        103: "Charging",
        104: "SuspendedEVSE",
        105: "SuspendedEV",
        106: "Finishing",
        107: "Reserved",
        108: "Unavailable",
        109: "Faulted",
    }
)
"""The states of inverters and chargers."""

ALARMS: Final = Codes(
    # SunSpec model 701, Alrm; the first 16 are those of Evt1 in models 101 to 103.
    dict(
        enumerate(
            (
                "GROUND_FAULT",
                "DC_OVER_VOLT",
                "AC_DISCONNECT",
                "DC_DISCONNECT",
                "GRID_DISCONNECT",
                "CABINET_OPEN",
                "MANUAL_SHUTDOWN",
                "OVER_TEMP",
                "OVER_FREQUENCY",
                "UNDER_FREQUENCY",
                "AC_OVER_VOLT",
                "AC_UNDER_VOLT",
                "BLOWN_STRING_FUSE",
                "UNDER_TEMP",
                "MEMORY_LOSS",
                "HW_TEST_FAILURE",
                "MANUFACTURER_ALRM",
            )
        )
    ),
    of_bits=True,
)
"""The alarms of devices."""
