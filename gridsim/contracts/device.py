"""The simple contract of a DER type: one object per device.

It is fast enough for some thousand devices; use a `Fleet` for more.
"""

from __future__ import annotations

import copyreg
from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from math import inf, isnan
from typing import Any, ClassVar, Generic, SupportsFloat

import numpy as np

from gridsim.contracts.der import Capability, Fleet, Orders, Stage, Telemetry
from gridsim.contracts.members import Members
from gridsim.contracts.settings import D, DerSettings
from gridsim.contracts.state import Stateful
from gridsim.contracts.tick import Tick
from gridsim.errors import PluginError, place_of, printable


class DeviceTick:
    """The data of one tick for one device.

    `capability` gets it without a setpoint and without limits.
    """

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
        grid = tick.grid
        self.frequency_hz = None if grid is None else float(grid.frequency_hz[site])
        """The frequency of the grid; None: no type of the run reads it, see `Device.reads_grid`."""
        self.voltage_pu = None if grid is None else float(grid.voltage_pu[site])
        """The voltage with the power of the tick before, as a share of the nominal one."""
        setpoint = float(orders.setpoint_kw[row])
        min_kw, max_kw = orders.min_kw, orders.max_kw
        self.setpoint_kw: float | None = None if isnan(setpoint) else setpoint
        """The power that a command or an event sets; None if neither sets it."""
        self.min_kw = -inf if min_kw is None else float(min_kw[row])
        """The lower limit of the output, at most zero; -inf without a limit.

        A controllable device must keep to it.
        """
        self.max_kw = inf if max_kw is None else float(max_kw[row])
        """The upper limit of the output; inf without a limit."""
        self.wanted = members.wanted
        """The measurands of `Device.measurands` that the run wants."""
        self._members = members
        self._row = row
        self._local_ms = local_ms

    @cached_property
    def local_time(self) -> datetime:
        """The local time of the site, without a zone."""
        return datetime(1970, 1, 1) + timedelta(milliseconds=self._local_ms)

    @cached_property
    def time(self) -> datetime:
        """The time, UTC."""
        return datetime.fromtimestamp(self.time_ms / 1000, UTC)

    @cached_property
    def rng(self) -> np.random.Generator:
        """A random generator for this device and tick alone; further draws affect nothing else."""
        members = self._members
        return members.draws.generator("device", int(members.keys[self._row]), self.index)


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """A reading that `step` may return instead of a number of kW."""

    current_output: float
    current_soc: float | None = None
    extra: Mapping[str, float] = field(default_factory=dict)
    reactive_kvar: float | None = None
    """The reactive power that the device injects; None: by the `power_factor` of the type."""


@dataclass(frozen=True, slots=True)
class DeviceCapability:
    """The range of power of one device over the coming tick, kW; min_kw <= 0 <= max_kw."""

    min_kw: float
    max_kw: float
    preferred_kw: float = 0.0
    """The power without a setpoint, an estimate: a heater that would draw 2 kW has -2."""


class Device(Stateful, ABC, Generic[D]):
    """The simple contract of a DER type: register the class like a `Fleet`.

    A device that defines `capability` takes part in events and follows commands: it must keep to
    `tick.setpoint_kw` and to the limits. `settings` are those of the device; distributions are
    sampled. A checkpoint has the attributes of the object except for those in `derived`; see
    `Stateful`.
    """

    Settings: ClassVar[type[DerSettings]] = DerSettings
    reported_type: ClassVar[str] = ""
    """The value of the field `type` of the record; empty: the registered name."""
    columns: ClassVar[Mapping[str, str]] = {}
    measurands: ClassVar[Collection[str]] = ()
    """The measurands that `step` may report in `extra`; see `Fleet.measurands`.

    Those that the run does not want are ignored: `tick.wanted` has the others.
    """
    consumes: ClassVar[bool] = False
    """True if the device consumes; see `Fleet.consumes`."""
    power_factor: ClassVar[float] = 1.0
    """The power factor of the devices; see `Fleet.power_factor`."""
    takes_commands: ClassVar[bool | None] = None
    """True if the devices follow their orders; None: if the type defines `capability`."""

    @classmethod
    def reads_grid(cls, settings: D) -> bool:
        """Return true if devices with `settings` read the frequency or the voltage."""
        return False

    @classmethod
    def stage(cls, settings: D) -> Stage:
        """Return `flexible` if events may dispatch the device, else `free`.

        A device with a setting `managed` is flexible if that is true.
        """
        able = cls.capability is not Device.capability
        return "flexible" if able and getattr(settings, "managed", True) else "free"

    def __init__(self, settings: D) -> None:
        self.settings = settings

    def capability(self, tick: DeviceTick) -> DeviceCapability:
        """Return the range of power in this tick, before `step`; it must not change the device."""
        raise TypeError(f"{type(self).__name__} is flexible: it must define capability()")

    @abstractmethod
    def step(self, tick: DeviceTick) -> float | DeviceReading:
        """Return the mean power over the tick, kW; positive: production, negative: load.

        A device without controls may ignore `tick.setpoint_kw` and the limits.
        """


_CAPABILITY = ("min_kw", "max_kw", "preferred_kw")


class _MadeClass(ABCMeta):
    """The metaclass of classes that no module names: pickle stores how to create them."""


class DeviceFleet(Fleet, metaclass=_MadeClass):
    """A fleet of devices of the simple contract; `fleet_of` creates one class per type.

    `step` raises PluginError if a device returns a value that the contract does not allow.
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
        reactive = np.full(len(members), np.nan)
        names = [*self.columns, *members.wanted]
        extra = {name: np.full(len(members), np.nan) for name in names}
        for row, device in enumerate(self.devices):
            site = members.site[row]
            now = DeviceTick(tick, members, row, int(local[site]), orders)
            try:
                result = device.step(now)
            except BaseException as error:
                error.add_note(f"for {members.ids[row]}")
                raise
            if isinstance(result, DeviceReading):
                power[row] = self._number("current_output", result.current_output, row)
                if result.current_soc is not None:
                    soc[row] = self._number("current_soc", result.current_soc, row)
                if result.reactive_kvar is not None:
                    reactive[row] = self._number("reactive_kvar", result.reactive_kvar, row)
                for name, value in result.extra.items():
                    if name in self.measurands and name not in extra:
                        continue
                    if name not in extra:
                        raise PluginError(
                            f"{self._label()} reports {name!r}: declare it in `columns` or "
                            f"`measurands`{place_of(device.step)}"
                        )
                    extra[name][row] = self._number(name, value, row)
            else:
                power[row] = self._number("step", result, row)
        return Telemetry(power, soc, extra, reactive)

    @classmethod
    def reads_grid(cls, settings: Any) -> bool:
        return cls.device.reads_grid(settings)

    @classmethod
    def stage(cls, settings: Any) -> Stage:
        return cls.device.stage(settings)

    @classmethod
    def obeys(cls) -> bool:
        if cls.takes_commands is not None:
            return cls.takes_commands
        return cls.device.capability is not Device.capability

    def capability(self, tick: Tick) -> Capability:
        members, n = self.members, len(self.members)
        local = members.sites.local_ms(tick.time_ms)
        orders = Orders(np.full(n, np.nan), np.zeros(n))
        columns = np.empty((3, n))
        for row, device in enumerate(self.devices):
            now = DeviceTick(tick, members, row, int(local[members.site[row]]), orders)
            try:
                able = device.capability(now)
            except BaseException as error:
                error.add_note(f"for {members.ids[row]}")
                raise
            if not isinstance(able, DeviceCapability):
                raise PluginError(
                    f"{self._label()}: capability returned {printable(repr(able))} instead of a "
                    f"DeviceCapability for {members.ids[row]}{place_of(device.capability)}"
                )
            for column, name in zip(columns, _CAPABILITY, strict=True):
                column[row] = self._number(name, getattr(able, name), row)
        return Capability(*columns)

    def _number(self, name: str, value: Any, row: int) -> float:
        """Return a value as a number; NumPy would convert None to NaN, and text to a number."""
        if isinstance(value, bool | str) or not isinstance(value, SupportsFloat):
            kind = "None" if value is None else type(value).__name__
            unit = "kW" if name == "step" else "a number"
            method = self.device.capability if name in _CAPABILITY else self.device.step
            raise PluginError(
                f"{self._label()}: {name} returned {kind} instead of {unit} for "
                f"{self.members.ids[row]}{place_of(method)}"
            )
        return float(value)

    def _label(self) -> str:
        return f"the DER type {self.reported_type!r} (class {self.device.__name__})"


def fleet_of(device: type[Device], name: str) -> type[DeviceFleet]:
    """Return the fleet class that steps devices of the class `device`."""
    body = {
        "device": device,
        "Settings": device.Settings,
        "reported_type": device.reported_type or name,
        "columns": device.columns,
        "measurands": device.measurands,
        "consumes": device.consumes,
        "power_factor": device.power_factor,
        "takes_commands": device.takes_commands,
        "__module__": device.__module__,
        "__doc__": device.__doc__,
    }
    return type(f"{device.__name__}Fleet", (DeviceFleet,), body)


def _reduce(fleet: type[DeviceFleet]) -> str | tuple[Callable[..., Any], tuple[Any, ...]]:
    if "device" in vars(fleet):
        return fleet_of, (fleet.device, fleet.reported_type)
    return fleet.__qualname__  # the class is defined in a module


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
