"""DER types: a fleet steps all devices of a type at once, as arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.members import Members
from gridsim.contracts.settings import D, DerSettings
from gridsim.contracts.state import Stateful
from gridsim.contracts.tick import Tick, TickBlock
from gridsim.helpers.randomness import Floats

Stage = Literal["free", "flexible"]


@dataclass(frozen=True, slots=True, eq=False)
class Capability:
    """The range of power of each device over the coming tick, float64[n], kW.

    min_kw <= 0 <= max_kw.
    """

    min_kw: Floats
    max_kw: Floats
    preferred_kw: Floats | None = None
    """The power of each device without a setpoint, an estimate; None: zero.

    Dispatch starts from it: a solar array produces, a car charges.
    """


@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """The setpoints and limits of each device of a fleet for one tick, float64[n], kW.

    A setpoint replaces the strategy of the device; its protections (comfort, reserve, departure)
    may override the setpoint. A limit binds all of them: strategy, protections and setpoint.
    A device reaches both in its own response time (dead time, ramp).
    """

    setpoint_kw: Floats
    """The setpoint; NaN where there is none and the device follows its own strategy."""
    balance_kw: Floats
    """The device's share of the power that brings the net load of its site to zero.

    The output of types that the device excludes is not part of that net load. Positive where the
    site draws power; zero for fleets of the stage `free`.
    """
    min_kw: Floats | None = None
    """The lower limit of the output, -inf where there is none; None: no device has one."""
    max_kw: Floats | None = None
    """The upper limit of the output, inf where there is none; None: no device has one."""

    def within(self, power: Floats) -> Floats:
        """Return `power`, float64[n], kW, clipped to the limits; the same array without limits."""
        if self.min_kw is not None:
            power = np.maximum(power, self.min_kw)
        if self.max_kw is not None:
            power = np.minimum(power, self.max_kw)
        return power


@dataclass(frozen=True, slots=True, eq=False)
class Telemetry:
    """The report of a fleet for one tick."""

    current_output: Floats
    """The mean power over the tick, float64[n], kW; positive: production, negative: load."""
    current_soc: Floats | None = None
    """The state of charge at the start of the tick, float64[n], %; NaN without storage.

    None: no device has storage.
    """
    extra: Mapping[str, Floats] = field(default_factory=dict)
    """The further columns that the type declares, float64[n]."""
    reactive_kvar: Floats | None = None
    """The reactive power, float64[n], kvar; positive: injected (over-excited), as IEEE 1547 counts.

    None, or NaN for a device: the device draws it by the `power_factor` of the type.
    """

    def rows(self, place: int | slice) -> Telemetry:
        """Return the telemetry of one tick, or of some, of a block."""
        soc, reactive = self.current_soc, self.reactive_kvar
        return Telemetry(
            self.current_output[place],
            None if soc is None else soc[place],
            {name: column[place] for name, column in self.extra.items()},
            None if reactive is None else reactive[place],
        )


class Fleet(Stateful, ABC, Generic[D]):
    """The contract of a DER type: all its devices in one simulation.

    The simulation makes one object per type and stage, then calls `capability` (stage
    `flexible` only) and `step` once per tick, in this order, from one thread. In a tick without
    commands and events it does not call the `capability` of a type that `consumes`. It calls
    `block` instead of `step`, for several ticks, if the type defines it, no device has orders, and
    the fleet is small. A checkpoint has the attributes of the object except for those in
    `derived`; see `Stateful`.
    """

    Settings: ClassVar[type[DerSettings]] = DerSettings
    reported_type: ClassVar[str]
    """The value of the field `type` of the record."""
    columns: ClassVar[Mapping[str, str]] = {}
    """The further columns that `step` reports, each with its unit."""
    measurands: ClassVar[Collection[str]] = ()
    """The measurands that `step` reports, as further columns, if they are in `members.wanted`.

    They are those of `MEASURANDS` with `of_type`.
    """
    stores: ClassVar[bool] = False
    """True if the devices store energy.

    Among the types that balance their sites, those with storage step last, because they compensate
    for the limits of the others.
    """
    takes_commands: ClassVar[bool | None] = None
    """True if the devices follow their orders; None: if the type defines `capability`.

    Commands to other devices are rejected.
    """

    consumes: ClassVar[bool] = False
    """True if the devices consume, such as chargers and heat pumps.

    The expectation of a site then includes their draw without setpoints and limits: a second
    object of the type steps once a minute without orders. It gets the same members, except that
    `tick_ms` is the length of these steps. A battery or a solar array does not consume: what it
    stores or produces is not part of the expectation.
    """

    power_factor: ClassVar[float] = 1.0
    """The power factor of the devices, above 0: below 1 they draw reactive power (lagging)."""

    @classmethod
    def phases(cls, members: Members[D]) -> Floats | None:
        """Return the number of phases that each device is connected to, 1 to 3, float64[n].

        NaN or None: the usual number, one up to 4.6 kW, above that those of the site. A type with
        a numeric setting `phases` has them from there.
        """
        return members.columns.get("phases")

    @classmethod
    def reads_grid(cls, settings: D) -> bool:
        """Return true if devices with `settings` read `Tick.grid`, which is computed then.

        By default they do if they have `GridSupportSettings` with a function that is on.
        """
        return bool(getattr(settings, "supports_grid", False))

    @classmethod
    def stage(cls, settings: D) -> Stage:
        """Return `free` to step before the site's net load is known, `flexible` to step after."""
        return "free"

    def __init__(self, members: Members[D]) -> None:
        self.members = members

    def capability(self, tick: Tick) -> Capability:
        """Return the range of power in this tick; needed at the stage `flexible`."""
        raise TypeError(f"{type(self).__name__} is flexible: it must define capability()")

    @classmethod
    def obeys(cls) -> bool:
        """Return true if the devices of this type follow commands; see `takes_commands`."""
        if cls.takes_commands is not None:
            return cls.takes_commands
        return cls.capability is not Fleet.capability

    def balances(self) -> NDArray[Any] | None:
        """Return true for devices that share in balancing their site, bool[n]; None: no device."""
        return None

    @classmethod
    def excludes(cls, settings: D) -> Collection[str]:
        """Return the names of the DER types whose output a device with `settings` ignores.

        The device then balances the net load of its site without their output: see
        `Orders.balance_kw`. A setpoint, and a target or limit of the site, still concern the whole
        net load. A setting with such names should have items of the type `DerTypeName`.
        """
        return ()

    @abstractmethod
    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        """Advance every device by one tick."""

    def block(self, ticks: TickBlock) -> Telemetry | None:
        """Return the telemetry of k consecutive ticks without orders, float64[k, n] each.

        Define it, beside `step`, if devices at the stage `free` without orders depend on their
        members, the time and the weather alone, and if many ticks at once cost less than one at a
        time. It must not change the state that a checkpoint keeps, because the block is given up at
        the first tick with orders. Row i must equal the telemetry of `step` without orders to the
        last bit: a run may use either. None: the devices must step, for example because a limit
        still moves back to its rating.
        """
        return None
