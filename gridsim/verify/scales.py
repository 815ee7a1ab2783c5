"""The units in the names of a user's columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gridsim.errors import UsageError
from gridsim.helpers.tables import unit_of
from gridsim.verify.evidence import Evidence

POWERS: Final = (
    "current_output", "power_meter_measurement", "baseline", "contract_threshold",
    "nameplate_capacity",
)  # fmt: skip
"""The fields in kW."""


def factors_of(names: Mapping[str, str], evidence: Evidence) -> dict[str, float]:
    """Return the factors to kW of the fields whose names in the user's data have another unit.

    `evidence` receives their units. Raises UsageError for a unit that is not one of power.
    """
    factors: dict[str, float] = {}
    for field in POWERS:
        if (name := names.get(field)) is None:
            continue
        try:
            unit = unit_of(name, "power")
        except ValueError as error:
            raise UsageError(f"gridsim verify: error: {error}") from None
        if unit is None or not unit.changes:
            continue
        if unit.per_interval:
            raise UsageError(
                f"gridsim verify: error: column {name!r} is an energy ({unit.unit}), and {field} "
                "is a power in kW: export the power"
            )
        factors[field] = unit.factor
        evidence.units[name] = unit.unit
    return factors
