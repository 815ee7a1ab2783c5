"""The reasons why projects fall short of the target of an event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Capability, Floats, Stateful
from gridsim.simulation.demand_response.settlement import Hundredths
from gridsim.simulation.dispatch.orders import DeviceOrders, SiteOrders
from gridsim.simulation.fleets import RunningFleet

# Half the resolution of a reading, kW.
_HALF_STEP = 0.005
# The rounding of several readings is not a device that does less.
_KEPT_BACK = 0.03
_KEPT = "its DERs did less"
# Batteries that can give less than this share of their rated power are nearly empty.
_LOW = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Ability:
    """The ability of the sites in a tick, columns with an entry per site."""

    output_kw: Floats
    """The largest total output of the flexible devices, without those under a command, as far as
    the export limit of the site allows it."""
    net_kw: Floats
    """The net consumption without them."""
    empty: NDArray[np.bool_]
    """True where there are batteries, and they are nearly empty."""
    flexible: NDArray[np.bool_]
    """True where there is a device that events dispatch."""
    commanded: NDArray[np.bool_]
    """True where a command to the project or to one of its devices takes precedence."""
    limited: NDArray[np.bool_]
    """True where an export limit binds: the devices could produce more."""
    sheds: NDArray[np.bool_]
    """True where the devices can only draw less: some of them consume, and none can produce."""


def ability(
    net_kw: Floats,
    able: list[tuple[RunningFleet, Capability]],
    devices: DeviceOrders | None,
    sites: SiteOrders | None,
    commands: SiteOrders | None,
) -> Ability:
    """Return the ability of the sites; `net_kw` is without the output of the devices `able`.

    `sites` are the orders of sites from events and commands, `commands` those from commands alone.
    """
    n = len(net_kw)
    output, net = np.zeros(n), net_kw.copy()
    stock, rated, flexible, consuming = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    commanded = np.zeros(n, np.bool_)
    if commands is not None:
        commanded = ~(np.isnan(commands.output_kw) & np.isnan(commands.net_kw))
    for fleet, own in able:
        most, free = own.max_kw, np.ones(len(own.max_kw), np.bool_)
        if devices is not None:
            most = np.minimum(most, devices.max_kw[fleet.device])
            free = np.isnan(devices.setpoint_kw[fleet.device])
            net -= np.bincount(fleet.site, np.where(free, 0.0, _held(own, devices, fleet)), n)
            bound = ~free | np.isfinite(devices.max_kw[fleet.device])
            commanded |= np.bincount(fleet.site, bound, n) > 0.0
        output += np.bincount(fleet.site, np.where(free, most, 0.0), n)
        flexible += np.bincount(fleet.site, minlength=n)
        if fleet.consumes:
            consuming += np.bincount(fleet.site, minlength=n)
        if fleet.steps_last and fleet.stores:
            stock += np.bincount(fleet.site, own.max_kw, n)
            rated += np.bincount(fleet.site, fleet.rated, n)
    empty = (rated > 0.0) & (stock < _LOW * rated)
    sheds = (consuming > 0.0) & (output < _HALF_STEP)
    limited = np.zeros(n, np.bool_)
    if sites is not None:
        most = np.maximum(net + sites.export_kw, 0.0)
        limited = output > most + _HALF_STEP
        output = np.minimum(output, most)
    return Ability(output, net, empty, flexible > 0.0, commanded, limited, sheds)


def _held(own: Capability, devices: DeviceOrders, fleet: RunningFleet) -> Floats:
    """Return the power of devices under a command, as far as their capability allows it."""
    setpoint = np.nan_to_num(devices.setpoint_kw[fleet.device])
    return np.clip(setpoint, own.min_kw, own.max_kw)


class ShortfallAccount(Stateful):
    """The sums of n projects in one event after its ramp, from which reasons follow."""

    def __init__(self, n: int) -> None:
        self._ticks, self._commanded = (np.zeros(n, np.int64) for _ in range(2))
        self._limited, self._empty, self._sheds = (np.zeros(n, np.int64) for _ in range(3))
        """The ticks with too little ability, by cause."""
        self._kept = np.zeros(n, np.int64)
        """The ticks in which devices did less than they were able to."""
        self._rigid = np.zeros(n, np.int64)
        """The ticks without a device that events dispatch."""
        self._below = np.zeros(n, np.int64)
        """The ticks in which less was delivered than requested."""
        self._asked, self._able = np.zeros(n), np.zeros(n)
        self._reduced: Hundredths = np.zeros(n, np.int64)

    def add(
        self,
        rows: NDArray[np.intp],
        site: NDArray[np.intp],
        asked_kw: Floats,
        reduced: Hundredths,
        baseline: Floats,
        able: Ability,
    ) -> None:
        """Add a tick of the projects `rows`, at the sites `site`.

        `asked_kw` is the reduction asked of them, `reduced` theirs, int64[rows], hundredths of a
        kW. `baseline` and `able` are per site.
        """
        possible = (baseline - able.net_kw + able.output_kw)[site]
        self._ticks[rows] += 1
        self._asked[rows] += asked_kw
        self._able[rows] += np.clip(possible, 0.0, np.maximum(asked_kw, 0.0))
        self._reduced[rows] += reduced
        self._rigid[rows] += ~able.flexible[site]
        self._commanded[rows] += able.commanded[site]
        below = reduced < 100.0 * asked_kw - 100.0 * _HALF_STEP
        self._below[rows] += below
        # Devices protect themselves, their room or their car, or have not started yet.
        kept = below & (reduced / 100.0 < np.minimum(possible, asked_kw) - _KEPT_BACK)
        self._kept[rows] += kept
        less = ~kept & (possible < asked_kw - _HALF_STEP)
        self._limited[rows] += less & able.limited[site]
        self._empty[rows] += less & able.empty[site]
        self._sheds[rows] += less & able.sheds[site]

    @property
    def asked_kw(self) -> Floats:
        """The mean reduction requested, float64[n]; zero without a tick after the ramp."""
        mean: Floats = self._asked / np.maximum(self._ticks, 1)
        return mean

    @property
    def able_kw(self) -> Floats:
        """The mean part of `asked_kw` that the devices were able to deliver, float64[n]."""
        mean: Floats = self._able / np.maximum(self._ticks, 1)
        return mean

    def missing_kw(self, target_kw: Floats) -> Floats:
        """Return the mean by which the projects fell short of a target, not negative."""
        ticks = np.maximum(self._ticks, 1)
        missing = target_kw - self._reduced / (100.0 * ticks)
        short = (self._ticks > 0) & (missing > _HALF_STEP)
        return np.where(short, missing, 0.0)

    def reason(self, row: int, target_kw: float, compliance: float, contract_kw: float) -> str:
        """Return the reason of a project that fell short of its target or of its contract, kW."""
        ticks = int(self._ticks[row])
        asked, able = float(self.asked_kw[row]), float(self.able_kw[row])
        numbers = f"asked {asked:.2f}, able {able:.2f} kW"
        if not ticks:
            return "in violation before its ramp was over"
        if self._rigid[row] == ticks:
            return f"no flexible DER: {numbers}"
        below = f"{self._below[row]:,} of {ticks:,} ticks"
        delivered = float(self._reduced[row]) / 100.0 / ticks
        short = able < asked - _HALF_STEP
        if short and (cause := self._cause(row)) != _KEPT:
            return f"{cause}: {numbers}" if cause else numbers
        if short or delivered < asked - _HALF_STEP:
            kept = (
                f"{_KEPT} in {self._kept[row] if short else self._below[row]:,} of {ticks:,} ticks"
            )
            cause = "under a command" if self._commanded[row] else kept
            return f"{cause}: asked {asked:.2f}, delivered {delivered:.2f} kW"
        if target_kw < contract_kw - _HALF_STEP:
            return f"target below the contract_threshold: asked {asked:.2f} of {contract_kw:.2f} kW"
        if compliance < 1.0:
            return f"compliance {compliance:.2f}: asked {asked:.2f} kW"
        return f"below it in {below}: asked {asked:.2f} kW, on average delivered {delivered:.2f} kW"

    def _cause(self, row: int) -> str:
        """Return the most frequent cause of a shortfall; empty if it is none of these."""
        if 2 * self._commanded[row] >= self._ticks[row]:
            return "under a command"
        causes = {
            "export limit": self._limited[row],
            "battery empty": self._empty[row],
            "nothing left to shed": self._sheds[row],
            _KEPT: self._kept[row],
        }
        cause = max(causes, key=lambda name: causes[name])
        return cause if causes[cause] else ""
