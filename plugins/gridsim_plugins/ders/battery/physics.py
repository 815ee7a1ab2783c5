"""The maths of a battery system: conversion losses, limits, energy.

Weniger, Tjaden, Quaschning et al.: PerMod, the performance simulation model for PV-battery
systems of HTW Berlin, fitted to laboratory measurements (data CC BY 4.0). All powers are
magnitudes in kW unless said, states of charge are fractions; scalars or float64[n].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridsim.api import Floats

CHARGE_TAPER = 0.10
"""Below this much room, as a fraction of the capacity, charging slows down in proportion."""
LAST_CHARGE = 0.02
"""What still arrives at the battery at the end, over rated power: charging at constant voltage
ends at a cut-off current. By proportion alone the constant loss would eat the last of it, and
the system would draw that for ever without getting full. Our assumption; it holds within the
last 0.4 % for the generic system."""
FULL = 1e-9
"""Less room than this is rounding: the battery is full."""
DISCHARGE_TAPER = 0.05
"""Within this much of the reserve, discharging slows down in proportion."""


@dataclass(frozen=True, slots=True)
class LossCurve:
    """Loss over rated power = a x^2 + b x + c, at the load x = power over rated power."""

    a: Floats
    b: Floats
    c: Floats


def dc_charging(ac: Floats, rated: Floats, curve: LossCurve) -> Floats:
    """What arrives at the battery when `ac` is drawn; never negative."""
    x = ac / rated
    loss = rated * ((curve.a * x + curve.b) * x + curve.c)
    arriving: Floats = np.maximum(ac - loss, 0.0)
    return arriving


def dc_discharging(ac: Floats, rated: Floats, curve: LossCurve) -> Floats:
    """What the battery gives so that `ac` comes out; zero for zero (the system sleeps)."""
    x = ac / rated
    loss = rated * ((curve.a * x + curve.b) * x + curve.c)
    return np.where(ac > 0.0, ac + loss, 0.0)


def ac_for_charging(dc: Floats, rated: Floats, curve: LossCurve) -> Floats:
    """The inverse of `dc_charging`: what to draw so that `dc` arrives."""
    # The root of a x^2 - (1 - b) x + (c + dc / rated) = 0 in the form that allows a = 0.
    need = curve.c + dc / rated
    linear = 1.0 - curve.b
    root = np.sqrt(np.maximum(linear * linear - 4.0 * curve.a * need, 0.0))
    return np.where(dc > 0.0, rated * 2.0 * need / (linear + root), 0.0)


def ac_for_discharging(dc: Floats, rated: Floats, curve: LossCurve) -> Floats:
    """The inverse of `dc_discharging`: what comes out when the battery gives `dc`.

    Zero where `dc` does not even cover the loss of standing by.
    """
    left = np.maximum(dc / rated - curve.c, 0.0)
    linear = 1.0 + curve.b
    root = np.sqrt(linear * linear + 4.0 * curve.a * left)
    delivered: Floats = rated * 2.0 * left / (linear + root)
    return delivered


def energy_stored(charge_dc: Floats, discharge_dc: Floats, hours: float, cell: Floats) -> Floats:
    """Change of the stored energy, kWh; `cell` is the battery's round-trip efficiency.

    Half of the battery's own loss falls to each direction.
    """
    one_way = np.sqrt(cell)
    stored: Floats = (charge_dc * one_way - discharge_dc / one_way) * hours
    return stored


def standby_kw(soc: Floats, full_w: Floats, empty_w: Floats) -> Floats:
    """What the system draws while at rest, kW: measured full and empty, linear in between."""
    draw: Floats = (empty_w + (full_w - empty_w) * soc) / 1000.0
    return draw


def faded(cycles: Floats, cycle_life: Floats) -> Floats:
    """The share of the capacity left after `cycles` full cycles; 0.8 after `cycle_life`.

    The loss grows with the square root of the charge throughput: Naumann, Spingler, Jossen:
    Analysis and modeling of cycle aging of a commercial LiFePO4/graphite cell, Journal of
    Power Sources 451 (2020). At a tenth the battery is taken to be at its end.
    """
    left: Floats = np.maximum(1.0 - 0.2 * np.sqrt(cycles / cycle_life), 0.1)
    return left
