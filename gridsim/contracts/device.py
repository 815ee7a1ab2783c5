"""The easy way to a DER type: one object per device.

Comfortable for a handful up to some thousand devices; a `Fleet` serves more.
"""

from __future__ import annotations

import copyreg
from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from math import inf, isnan
from typing import Any, ClassVar

import numpy as np

from gridsim.contracts.der import Fleet, Orders, Telemetry
from gridsim.contracts.members import Members
from gridsim.contracts.settings import DerSettings
from gridsim.contracts.state import Stateful
from gridsim.contracts.tick import Tick
from gridsim.errors import PluginError


class DeviceTick:
    """One tick as one device sees it."""

    def __init__(
        self, tick: Tick, members: Members[Any], row: int, local_ms: int, orders: Orders
    ) -> None:
        site = members.site[row]
        self.index = tick.index
        self.time_ms = tick.time_ms
        self.dt_s = tick.dt_s
        self.ghi = float(tick.weather.ghi[site])
        """Global horizontal irradiance, W/m2."""
        self.temperature_c = float(tick.weather.temperature_c[site])
        self.wind_m_s = float(tick.weather.wind_m_s[site])
        asked = float(orders.setpoint_kw[row])
        least, most = orders.min_kw, orders.max_kw
        self.setpoint_kw: float | None = None if isnan(asked) else asked
        """The power that a command or an event asks for; None: nobody does."""
        self.min_kw = -inf if least is None else float(least[row])
        """The least output allowed, at most zero; -inf without a limit. A device that can be
        controlled keeps to it, whatever else it would do."""
        self.max_kw = inf if most is None else float(most[row])
        """The most output allowed; inf without a limit."""
        self._members = members
        self._row = row
        self._local_ms = local_ms

    @cached_property
    def local_time(self) -> datetime:
        """The site's wall clock, without a zone."""
        return datetime(1970, 1, 1) + timedelta(milliseconds=self._local_ms)

    @cached_property
    def time(self) -> datetime:
        """UTC."""
        return datetime.fromtimestamp(self.time_ms / 1000, UTC)

    @cached_property
    def rng(self) -> np.random.Generator:
        """Random numbers of this device and tick alone: drawing more changes nothing else."""
        members = self._members
        return members.draws.generator("device", int(members.keys[self._row]), self.index)


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """What a device may return from `step` instead of a bare number of kW."""

    current_output: float
    current_soc: float | None = None
    extra: Mapping[str, float] = field(default_factory=dict)


class Device(Stateful, ABC):
    """The easy contract of a DER type: register the class like a `Fleet`.

    `settings` are the device's own, distributions sampled. A checkpoint keeps the object's
    attributes, as `Stateful` says, except for `derived`.
    """

    Settings: ClassVar[type[DerSettings]] = DerSettings
    reported_type: ClassVar[str] = ""
    """What the record's `type` says; empty: the name under which the class is registered."""
    columns: ClassVar[Mapping[str, str]] = {}

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def step(self, tick: DeviceTick) -> float | DeviceReading:
        """Power over the tick in kW: positive feeds the site, negative draws from it.

        Whether the device obeys `tick.setpoint_kw` and the limits is its own affair.
        """


class _MadeClass(ABCMeta):
    """Classes that no module holds by name: they pickle as what makes them anew."""


class DeviceFleet(Fleet, metaclass=_MadeClass):
    """Steps devices of the easy contract; made per type by `fleet_of`.

    Raises PluginError from `step` where a device returns what the contract does not allow.
    """

    device: ClassVar[type[Device]]

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        self.devices = [self.device(_settings(members, row)) for row in range(len(members))]

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        members = self.members
        local = members.sites.local_ms(tick.time_ms)
        power = np.empty(len(members))
        soc = np.full(len(members), np.nan)
        extra = {name: np.full(len(members), np.nan) for name in self.columns}
        for row, device in enumerate(self.devices):
            site = members.site[row]
            result = device.step(DeviceTick(tick, members, row, int(local[site]), orders))
            if isinstance(result, DeviceReading):
                power[row] = result.current_output
                if result.current_soc is not None:
                    soc[row] = result.current_soc
                for name, value in result.extra.items():
                    if name not in extra:
                        raise PluginError(
                            f"{self._what()} reports {name!r} but does not declare it in `columns`"
                        )
                    extra[name][row] = value
            elif result is None:  # NumPy would take it for NaN.
                raise PluginError(f"{self._what()}: step returned None instead of kW")
            else:
                power[row] = result
        return Telemetry(power, soc, extra)

    def _what(self) -> str:
        return f"the DER type {self.reported_type!r} (class {self.device.__name__})"


def fleet_of(device: type[Device], name: str) -> type[DeviceFleet]:
    """The fleet class that steps devices of the class `device`."""
    body = {
        "device": device,
        "Settings": device.Settings,
        "reported_type": device.reported_type or name,
        "columns": device.columns,
        "__module__": device.__module__,
        "__doc__": device.__doc__,
    }
    return type(f"{device.__name__}Fleet", (DeviceFleet,), body)


def _reduce(fleet: type[DeviceFleet]) -> str | tuple[Callable[..., Any], tuple[Any, ...]]:
    if "device" in vars(fleet):
        return fleet_of, (fleet.device, fleet.reported_type)
    return fleet.__qualname__  # written in a module, so found there


copyreg.pickle(_MadeClass, _reduce)  # type: ignore[arg-type]


def _settings(members: Members[Any], row: int) -> DerSettings:
    stanza: DerSettings = members.settings[members.stanza[row]]
    fields = type(stanza).model_fields
    own: dict[str, Any] = {}
    for name, column in members.columns.items():
        value = float(column[row])
        if np.isnan(value):
            own[name] = None
        else:
            own[name] = int(value) if fields[name].annotation is int else value
    return stanza.model_copy(update=own)
