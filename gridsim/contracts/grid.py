"""The grid as the devices of a site measure it."""

from __future__ import annotations

from dataclasses import dataclass

from gridsim.helpers.randomness import Floats


@dataclass(frozen=True, slots=True, eq=False)
class GridSample:
    """The frequency and the voltage of all sites in a tick, float64[sites].

    The voltage is the mean of the lines of a site. It has the power of the tick before, because
    that of the tick depends on it: a device that acts on the voltage corrects it by its own change,
    with the two slopes.
    """

    frequency_hz: Floats
    nominal_hz: Floats
    voltage_pu: Floats
    """The voltage as a share of the nominal one."""
    pu_per_kw: Floats
    """The rise of the voltage for each kW that the site feeds."""
    pu_per_kvar: Floats
    """The rise of the voltage for each kvar that the site injects."""
