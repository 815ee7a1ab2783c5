"""Faults: deliberate errors in readings and messages, and devices that stop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Generic

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.members import Members
from gridsim.contracts.settings import S, Settings
from gridsim.contracts.state import Stateful
from gridsim.contracts.tick import Tick
from gridsim.helpers.randomness import Floats

SENT: Final = 0
STORED: Final = 1
LOST: Final = 2


class Fault(Stateful, Generic[S]):
    """Base of both contracts of faults.

    The configuration selects the devices that a fault affects and the times: windows, a rate, or
    a probability per reading. `members` are the devices that it may affect. Numeric settings may
    be distributions; read them from `members.columns`. `members.keys` are for this fault alone;
    all devices of a project share a key where the fault affects them together. A checkpoint has
    the attributes of the object except for those in `derived`; see `Stateful`.
    """

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, members: Members[S]) -> None:
        self.members = members


@dataclass(slots=True, eq=False)
class AffectedReadings:
    """The readings of k affected devices in a tick, as columns of length k, not yet rounded.

    A fault overwrites them in place.
    """

    member: NDArray[np.intp]
    """The index of each affected member."""
    since_ms: NDArray[np.int64]
    """The start of the fault on each device, UTC; the time of the tick where it starts now."""
    timestamp_ms: NDArray[np.int64]
    is_online: NDArray[np.bool_]
    current_output: Floats
    power_meter_measurement: Floats
    current_soc: Floats
    """The state of charge, %; NaN where there is no storage."""
    leaves: NDArray[np.int8]
    """The fate of each reading: SENT; STORED in the device until it sends again; LOST."""
    stored: NDArray[np.int64]
    """The number of readings that each device has stored already; read-only."""
    extra: Mapping[str, Floats] = field(default_factory=dict)
    """The measurands that the fault declares and the run computes."""


REPORT_COLUMNS: Final = (
    "timestamp_ms",
    "is_online",
    "current_output",
    "power_meter_measurement",
    "current_soc",
    "leaves",
)
"""The columns of AffectedReadings that a device fault may overwrite, besides `extra`."""


class DeviceFault(Fault[S], ABC):
    """The contract of a device fault: the device reports false values, or stops."""

    is_ghost: ClassVar[bool] = False
    """True if its members do not exist: they report only while the fault affects them.

    They report the values of their model and do not count in their site.
    """
    is_instrument: ClassVar[bool] = False
    """True if it is a property of instruments that work, such as the error of a meter.

    Readings get its label, so that `verify` explains them. The devices do not count as faulty:
    views, counts and reports leave it out.
    """

    measurands: ClassVar[Collection[str]] = ()
    """The measurands that the fault may change; a run computes only those that something uses."""
    only_measurands: ClassVar[bool] = False
    """True if it changes nothing else: a run without these measurands refuses it."""

    @classmethod
    def stops(cls, settings: S) -> bool:
        """Return true if an affected device stops: its true output is then zero.

        The device has limits of zero, as after the command `disconnect`, so its type must follow
        orders.
        """
        return False

    @classmethod
    def alarms(cls, settings: S) -> int:
        """Return the alarms that an affected device notices: bits of `ALARMS`, 0 for none."""
        return 0

    @abstractmethod
    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        """Change the readings; called in the simulation's thread if a member is affected."""


def is_instrument(fault: type[Fault]) -> bool:
    """Return True if a fault is a property of instruments that work."""
    return issubclass(fault, DeviceFault) and fault.is_instrument


@dataclass(slots=True, eq=False)
class MessageEffects:
    """The effects on k messages, as columns of length k; a fault overwrites them in place.

    They contain the effects of the preceding faults; the initial values are given below.
    """

    member: NDArray[np.intp]
    chance: Floats
    """A random number in [0, 1) for each message and fault."""
    copies: NDArray[np.int8]
    """The number of copies, initially 1; 0: the message is lost; 2: it is sent twice."""
    delay_ms: NDArray[np.int64]
    """The delay in simulated time, rounded up to whole ticks; initially 0."""
    overtaken: NDArray[np.bool_]
    """True if it is sent after the next message of the same device; initially False.

    A delayed message is never overtaken. A device has at most one message that waits to be
    overtaken.
    """
    altered: NDArray[np.bool_]
    """True if `alter` changes its payload; initially False, even if an earlier fault alters it.

    Only the first fault that alters a payload does so.
    """


class MessageFault(Fault[S], ABC):
    """The contract of a message fault: the reading is correct, and its message is affected."""

    @classmethod
    def check(cls, settings: S, format: str, json_fields: Sequence[str]) -> None:
        """Raise ValueError if the fault cannot affect messages of this format.

        `json_fields` are the names of the JSON fields; empty: the format does not write JSON.
        """

    @abstractmethod
    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        """Set the effects; called in the simulation's thread if a message is affected."""

    @classmethod
    def alter(cls, settings: S, body: bytes, chance: float) -> bytes:
        """Return the altered payload, not empty; a pure function, called in transport threads.

        `settings` are the fault's, with the middle of each distribution as its value. `chance` is
        `MessageEffects.chance` of the message.
        """
        return body
