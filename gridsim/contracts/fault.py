"""Faults: what goes wrong on purpose, while the physics goes on underneath."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.members import Members
from gridsim.contracts.settings import Settings
from gridsim.contracts.state import Stateful
from gridsim.contracts.tick import Tick
from gridsim.helpers.randomness import Floats

SENT: Final = 0
STORED: Final = 1
LOST: Final = 2


class Fault(Stateful):
    """Base of both contracts of faults. A fault strikes the devices that the configuration
    names, when it says so: in windows, at a rate, or by chance per reading.

    `members` are the devices that it may strike; number settings may be distributions and
    are read from `members.columns`. `members.keys` are for this fault alone, and one for all
    devices of a project where chance is to take them together. A checkpoint keeps the object's
    attributes, as `Stateful` says, except for `derived`.
    """

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, members: Members[Any]) -> None:
        self.members = members


@dataclass(slots=True, eq=False)
class AffectedReadings:
    """What k struck devices are about to report in a tick: columns of length k, to be
    overwritten in place. Not yet rounded."""

    member: NDArray[np.intp]
    """Which members they are."""
    since_ms: NDArray[np.int64]
    """When the fault began on each, UTC; equal to the tick's time where it begins now."""
    timestamp_ms: NDArray[np.int64]
    is_online: NDArray[np.bool_]
    current_output: Floats
    power_meter_measurement: Floats
    current_soc: Floats
    """%, NaN where there is no storage."""
    leaves: NDArray[np.int8]
    """SENT; STORED: kept in the device and sent when it next sends; LOST: never sent."""
    stored: NDArray[np.int64]
    """How many readings each device keeps already; to be read only."""


class DeviceFault(Fault, ABC):
    """The contract of a fault of a device: it reports something else than is true."""

    is_ghost: ClassVar[bool] = False
    """Whether its members do not exist: they report only while they are struck, and nothing
    of it counts in their site. What their model says is what they report."""

    @abstractmethod
    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        """Called once per tick in which at least one member is struck, from the simulation's
        thread."""


@dataclass(slots=True, eq=False)
class MessageEffects:
    """How k messages are about to pass: columns of length k, to be overwritten in place.

    They hold what the faults before have made of the messages, and at first what is said here.
    """

    member: NDArray[np.intp]
    chance: Floats
    """In [0, 1), of each message, another one for each fault."""
    copies: NDArray[np.int8]
    """1; 0: the message is lost; 2: it comes twice."""
    delay_ms: NDArray[np.int64]
    """Simulated time by which it comes later, in whole ticks rounded up; 0."""
    overtaken: NDArray[np.bool_]
    """Whether it comes after the next one of the same device; False. A message that is
    delayed is not overtaken besides, nor is one while another waits to be overtaken."""
    altered: NDArray[np.bool_]
    """Whether `alter` is to change its text; always False at first. A text that another fault
    alters already is not altered again."""


class MessageFault(Fault, ABC):
    """The contract of a fault on the way: a reading is right, its message suffers."""

    def check(self, format: str, json_fields: Sequence[str]) -> None:
        """Raises ValueError if it cannot strike messages of this format, which writes JSON
        with fields of these names (none: it writes something else)."""

    @abstractmethod
    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        """Called once per tick in which at least one message is struck, from the simulation's
        thread."""

    def alter(self, body: bytes, chance: float) -> bytes:
        """The text that leaves instead: a pure function, called from transports' threads.

        `chance` is that of the passage. The text must not be empty.
        """
        return body
