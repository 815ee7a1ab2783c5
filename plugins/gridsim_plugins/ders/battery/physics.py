"""The physics of a battery system: conversion losses, limits, energy.

Weniger, Tjaden, Quaschning et al.: PerMod, the performance simulation model for PV-battery
systems of HTW Berlin, fitted to laboratory measurements (data CC BY 4.0). All powers are
magnitudes in kW, states of charge fractions; scalars or float64[n].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridsim.api import Floats

CHARGE_TAPER = 0.10
"""The free capacity, as a fraction, below which charging slows down in proportion."""
LAST_CHARGE = 0.02
"""The DC power at the end of charging, over rated power.

Charging at constant voltage ends at a cut-off current. If charging only slowed down in proportion,
the power would fall to the constant loss and the battery would never get full. Our assumption; it
takes effect in the last 0.4 % for the generic system.
"""
FULL = 1e-9
"""The free capacity, as a fraction, below which a battery is full: a rounding error."""
DISCHARGE_TAPER = 0.05
"""The charge above the reserve, as a fraction, below which discharging slows down."""


@dataclass(frozen=True, slots=True)
class LossCurve:
    """The coefficients of: loss over rated power = a x^2 + b x + c, x = power over rated power."""

    a: Floats
    b: Floats
    c: Floats


def dc_charging(ac: Floats, rated: Floats, curve: LossCurve) -> Floats:
    """Return the DC power that reaches the battery when `ac` is drawn, kW; never negative."""
    x = ac / rated
    loss = rated * ((curve.a * x + curve.b) * x + curve.c)
    arriving: Floats = np.maximum(ac - loss, 0.0)
    return arriving


def dc_discharging(ac: Floats, rated: Floats, curve: LossCurve) -> Floats:
    """Return the DC power for an output of `ac`, kW; zero for zero, when the system sleeps."""
    x = ac / rated
    loss = rated * ((curve.a * x + curve.b) * x + curve.c)
    return np.where(ac > 0.0, ac + loss, 0.0)


def ac_for_charging(dc: Floats, rated: Floats, curve: LossCurve) -> Floats:
    """Return the AC power to draw for a DC power of `dc`, kW: the inverse of `dc_charging`."""
    # The root of a x^2 - (1 - b) x + (c + dc / rated) = 0, in the form that allows a = 0.
    need = curve.c + dc / rated
    linear = 1.0 - curve.b
    root = np.sqrt(np.maximum(linear * linear - 4.0 * curve.a * need, 0.0))
    return np.where(dc > 0.0, rated * 2.0 * need / (linear + root), 0.0)


def ac_for_discharging(dc: Floats, rated: Floats, curve: LossCurve) -> Floats:
    """Return the AC output for a DC power of `dc`, kW: the inverse of `dc_discharging`.

    Zero where `dc` does not cover the constant loss.
    """
    left = np.maximum(dc / rated - curve.c, 0.0)
    linear = 1.0 + curve.b
    root = np.sqrt(linear * linear + 4.0 * curve.a * left)
    delivered: Floats = rated * 2.0 * left / (linear + root)
    return delivered


def energy_stored(charge_dc: Floats, discharge_dc: Floats, hours: float, cell: Floats) -> Floats:
    """Return the change of the stored energy, kWh.

    `cell` is the round-trip efficiency of the cells; each direction has the square root of it.
    """
    one_way = np.sqrt(cell)
    stored: Floats = (charge_dc * one_way - discharge_dc / one_way) * hours
    return stored


def standby_kw(soc: Floats, full_w: Floats, empty_w: Floats) -> Floats:
    """Return the power drawn at rest, kW: measured full and empty, linear in between."""
    draw: Floats = (empty_w + (full_w - empty_w) * soc) / 1000.0
    return draw


def faded(cycles: Floats, cycle_life: Floats) -> Floats:
    """Return the share of the capacity left after `cycles` full cycles; 0.8 after `cycle_life`.

    The loss grows with the square root of the charge throughput: Naumann, Spingler, Jossen:
    Analysis and modeling of cycle aging of a commercial LiFePO4/graphite cell, Journal of
    Power Sources 451 (2020). The share is at least a tenth.
    """
    left: Floats = np.maximum(1.0 - 0.2 * np.sqrt(cycles / cycle_life), 0.1)
    return left
