"""Measured battery systems: conversion losses, response times, standby power."""

from __future__ import annotations

from dataclasses import dataclass

Coefficients = tuple[float, float, float]
"""The a, b, c of: loss over rated power = a x^2 + b x + c, x = power over rated power."""


@dataclass(frozen=True, slots=True)
class System:
    """The figures of one battery system, from its AC terminals to its cells."""

    charge: Coefficients
    discharge: Coefficients
    efficiency: float
    """The round-trip efficiency of the cells alone, a fraction."""
    dead_time_s: float = 0.0
    time_constant_s: float = 0.0
    lags_setpoints: bool = True
    """False: the lag is that of the meter and the regulation; a setpoint takes effect at once."""
    standby_full_w: float = 0.0
    standby_empty_w: float = 0.0


PRESETS = {
    # Weniger, Tjaden, Quaschning et al.: PerMod of HTW Berlin; data CC BY 4.0. The data give no lag
    # for the generic system, so it has the medians of the four measured systems (dead time 0.61,
    # 0.63, 1.6, 1.6 s; time constant 0.58, 0.6, 0.6, 4.07 s).
    "generic": System(
        (0.0355, -0.0031, 0.0182),
        (0.0376, -0.0036, 0.0193),
        0.95,
        dead_time_s=1.115,
        time_constant_s=0.6,
        lags_setpoints=False,
    ),
    "siemens_junelight": System(
        (0.0302, 0.0098, 0.0100),
        (0.0431, 0.0065, 0.0107),
        0.9687,
        dead_time_s=1.6,
        time_constant_s=0.6,
        standby_full_w=14.9,
        standby_empty_w=12.1,
    ),
    "ideal": System((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 1.0),
}


def check_coefficients(coefficients: Coefficients) -> None:
    """Raise ValueError unless a loss curve is physical: lossy, and monotonic."""
    a, b, c = coefficients
    if a < 0.0 or c < 0.0:
        raise ValueError("a and c of a loss curve must not be negative")
    lowest = min(max(-b / (2.0 * a), 0.0), 1.0) if a > 0.0 else float(b < 0.0)
    if (a * lowest + b) * lowest + c < -1e-12:
        raise ValueError(f"the loss curve is negative at {lowest:.2f} of the rated power")
    if 2.0 * a + b >= 1.0 or a + b + c >= 1.0:
        raise ValueError("the loss curve exceeds the rated power: nothing is left at the output")
    if b <= -1.0:
        raise ValueError("b of a loss curve must be above -1")
