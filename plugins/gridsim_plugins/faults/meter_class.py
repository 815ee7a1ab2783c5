"""The fault `meter_class`: readings with the errors that the class of a meter allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from gridsim.api import (
    DER_REGISTERS,
    SITE_REGISTERS,
    AffectedReadings,
    DeviceFault,
    Floats,
    Keys,
    Members,
    Register,
    Settings,
    Tick,
    Unit,
    hookimpl,
)


@dataclass(frozen=True, slots=True)
class ErrorLimits:
    """The limits of error of a class, % of the power, at power factor 1."""

    normal: float
    """From `turn` on."""
    low: float
    """From `least` to `turn`."""
    least: float
    """The lowest power with a limit, over the basic power."""
    turn: float
    """The power from which `normal` holds, over the basic power."""
    start: float
    """The starting power, over the basic power: the meter reads zero below it."""


# IEC 62053-21 (classes 1 and 2, direct connection, basic current), IEC 62053-22 (0.2 S and 0.5 S),
# EN 50470-3 (A, B and C: the minimum current is half of the transitional one, which is a tenth of
# the reference current).
CLASSES = {
    "0.2": ErrorLimits(0.2, 0.4, 0.01, 0.05, 0.001),
    "0.5": ErrorLimits(0.5, 1.0, 0.01, 0.05, 0.001),
    "1": ErrorLimits(1.0, 1.5, 0.05, 0.1, 0.004),
    "2": ErrorLimits(2.0, 2.5, 0.05, 0.1, 0.005),
    "A": ErrorLimits(2.0, 2.5, 0.05, 0.1, 0.005),
    "B": ErrorLimits(1.0, 1.5, 0.05, 0.1, 0.004),
    "C": ErrorLimits(0.5, 1.0, 0.05, 0.1, 0.004),
}
# The constant error uses up to this share of a limit, and the noise of a reading the rest.
_CONSTANT, _NOISE = 0.8, 0.2
_NOISE_DEVIATION = 0.05


class MeterClassSettings(Settings):
    """Settings of the fault `meter_class`."""

    meter_class: Literal["0.2", "0.5", "1", "2", "A", "B", "C"] = Field(
        "1",
        description="accuracy class: 1 and 2 of IEC 62053-21, 0.2 and 0.5 (S) of IEC 62053-22, "
        "A, B and C of EN 50470-3",
    )
    basic_power: Annotated[float, Unit("kW")] = Field(
        2.3,
        gt=0.0,
        le=1e6,
        description="power at the basic current, 10 A at 230 V; the limits are wider below a "
        "tenth of it",
    )
    resolution: Annotated[float, Unit("kW")] = Field(
        0.01, ge=0.0, le=1e6, description="steps of the values; the record has 0.01 kW at best"
    )


class MeterClass(DeviceFault[MeterClassSettings]):
    """The meters of each DER and of each site, within the limits of error of their class. Each
    meter has a constant error, and another one at low load, both drawn uniformly within 80 % of the
    limit. Each reading has a small additional noise, and no reading exceeds the limit. Below the
    lowest power with a limit the error in kW stays the same, and below the starting power the meter
    reads zero. An energy register has the constant error of its meter. The truth, the site and
    settlements keep the true values.
    """

    Settings = MeterClassSettings
    is_instrument = True
    kept = ()
    measurands = (*DER_REGISTERS, *SITE_REGISTERS)

    def __init__(self, members: Members[MeterClassSettings]) -> None:
        super().__init__(members)
        limits = CLASSES[members.settings[0].meter_class] if members.settings else CLASSES["1"]
        self._limits = limits
        self._basic = members.columns["basic_power"]
        self._resolution = members.columns["resolution"]
        # All DERs of a site report the same meter of the site.
        self._meters = members.keys, members.sites.keys[members.site]
        self._errors = [
            _CONSTANT * (2.0 * members.draws.uniform4(f"meter_class/{use}", keys)[:2] - 1.0)
            for use, keys in zip(("der", "site"), self._meters, strict=True)
        ]

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        member = affected.member
        for place, (use, column) in enumerate(
            (("der", affected.current_output), ("site", affected.power_meter_measurement))
        ):
            keys = self._meters[place][member]
            noise = self._noise(f"meter_class/{use}_noise", keys, tick.time_ms)
            constant, at_low = self._errors[place][:, member]
            basic, step = self._basic[member], self._resolution[member]
            column[:] = metered(column, self._limits, basic, step, constant, at_low, noise)
        for name, register in affected.extra.items():
            place = 0 if name in DER_REGISTERS else 1
            register *= 1.0 + self._errors[place][0, member] * self._limits.normal / 100.0

    def _noise(self, purpose: str, keys: Keys, time_ms: int) -> Floats:
        deviates = _NOISE_DEVIATION * self.members.draws.normal(purpose, keys, time_ms)
        return np.minimum(np.maximum(deviates, -_NOISE), _NOISE)


def limit_kw(kw: Floats, limits: ErrorLimits, basic_kw: Floats) -> tuple[Floats, Floats]:
    """Return the normal limit of error, and the increase of the limit at low load, float64[n],
    kW.
    """
    power = np.abs(kw)
    normal = limits.normal / 100.0 * power
    extra = (limits.low - limits.normal) / 100.0 * power
    least = limits.least * basic_kw
    below = power < least
    low = np.where(power < limits.turn * basic_kw, extra, 0.0)
    held = limits.low / 100.0 * least - normal
    return normal, np.where(below, held, low)


def metered(
    kw: Floats,
    limits: ErrorLimits,
    basic_kw: Floats,
    step_kw: Floats,
    constant: Floats,
    at_low: Floats,
    noise: Floats,
) -> Floats:
    """Return the values of meters, float64[n], kW.

    `constant`, `at_low` and `noise` are shares: of the normal limit, of its increase at low load,
    and of the sum of both.
    """
    normal, extra = limit_kw(kw, limits, basic_kw)
    shown = kw + constant * normal + at_low * extra + noise * (normal + extra)
    shown = np.where(np.abs(kw) < limits.start * basic_kw, 0.0, shown)
    steps = np.where(step_kw > 0.0, step_kw, 1.0)
    result: Floats = np.where(step_kw > 0.0, np.rint(shown / steps) * steps, shown)
    return result


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("meter_class", MeterClass)
