"""The trace: the newest messages of the devices that are watched, in both directions."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.api import MessageAddress, Roster, Target, TracedMessage
from gridsim.contracts.message import KEPT_BYTES

MESSAGES: Final = 50
"""The number of messages that are kept for each device."""
PENDING: Final = "pending"
NO_ADDRESS: Final = MessageAddress()
Direction = Literal["out", "in"]


@dataclass(slots=True, eq=False)
class _Message:
    number: int
    key: Hashable
    direction: Direction
    channel: str
    address: MessageAddress
    time_ms: int = 0
    payload: bytes = b""
    start: int = 0
    size: int = 0
    fate: str = PENDING
    attempts: int = 0
    changed: int = 0


@dataclass(slots=True, eq=False)
class DeviceTrace:
    """The messages of one watched device. The trace's lock guards it."""

    device: int
    der_id: str
    project_id: str
    messages: deque[_Message] = field(default_factory=deque)
    known: dict[Hashable, _Message] = field(default_factory=dict)
    """The same messages, by the key under which their fate is reported."""
    number: int = 0
    changes: int = 0

    def concerns(self, target: Target) -> bool:
        """Return whether an instruction to a target is for the device, its project or all."""
        if not target.project_id:
            return target.der_id is None
        of_project = target.project_id == self.project_id
        return of_project and target.der_id in (None, self.der_id)

    def message(
        self, key: Hashable, direction: Direction, channel: str, address: MessageAddress
    ) -> _Message:
        """Return the message of a key; a new one if there is none."""
        found = self.known.get(key)
        if found is None:
            found = _Message(self.number, key, direction, channel, address)
            self.number += 1
            if len(self.messages) == MESSAGES:
                oldest = self.messages.popleft()
                if self.known.get(oldest.key) is oldest:
                    del self.known[oldest.key]
            self.messages.append(found)
            self.known[key] = found
        return found

    def changed(self, message: _Message) -> None:
        """Count a change, so that a reader finds the messages that changed."""
        message.changed = self.changes
        self.changes += 1

    def read(self) -> tuple[TracedMessage, ...]:
        """Return the messages, the oldest first."""
        return tuple(
            TracedMessage(
                one.number,
                one.time_ms,
                one.direction,
                one.channel,
                one.address.topic,
                one.address.qos,
                one.payload,
                one.size,
                one.fate,
                one.changed,
                one.start,
            )
            for one in self.messages
        )


class MessageTrace:
    """The messages of the watched devices of one run. While no device is watched, each of its hooks
    returns after one comparison.

    Any thread may call any method. No plugin is called with the lock held.
    """

    def __init__(
        self, roster: Roster, wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self.watched: NDArray[np.bool_] | None = None
        """The watched devices, bool[devices]; None if there is none. It is never changed in
        place."""
        self._roster = roster
        self._wall_ms = wall_ms
        self._lock = threading.Lock()
        self._devices: dict[int, DeviceTrace] = {}

    def open(self, device: int) -> None:
        """Record the messages of a device from now on."""
        roster = self._roster
        project_id = roster.project_id[roster.project[device]]
        with self._lock:
            self._devices[device] = DeviceTrace(device, roster.der_id[device], project_id)
            self._set_watched()

    def close(self, device: int) -> None:
        """Stop recording a device, and forget its messages."""
        with self._lock:
            self._devices.pop(device, None)
            self._set_watched()

    def messages(self, device: int) -> tuple[TracedMessage, ...]:
        """Return the last 50 messages of a watched device, the oldest first."""
        with self._lock:
            found = self._devices.get(device)
            return () if found is None else found.read()

    # Called by the parts of delivery and of the sources.

    def note(
        self,
        devices: list[int],
        key: Hashable,
        direction: Direction,
        channel: str,
        address: MessageAddress,
        payload: bytes,
        size: int | None = None,
    ) -> None:
        """Add a message to the traces of devices; with a key that is known, send it again."""
        now = self._wall_ms()
        with self._lock:
            for trace in self._of(devices):
                one = trace.message(key, direction, channel, address)
                one.attempts += 1
                one.time_ms = now
                one.start, one.payload = _cut(payload, trace.der_id)
                one.size = len(payload) if size is None else size
                one.fate = PENDING
                trace.changed(one)

    def settle(
        self,
        devices: list[int],
        key: Hashable,
        fate: str,
        channel: str,
        address: MessageAddress,
        *,
        add: bool,
    ) -> None:
        """Set the fate of a sent message; with `add`, also that of an unknown one."""
        now = self._wall_ms()
        with self._lock:
            for trace in self._of(devices):
                if not add and key not in trace.known:
                    continue
                one = trace.message(key, "out", channel, address)
                one.time_ms = one.time_ms or now
                one.fate = fate if one.attempts < 2 else f"{fate}, attempt {one.attempts}"
                trace.changed(one)

    def answer(self, key: Hashable, fate: str) -> None:
        """Set the fate of a received message, if it is known."""
        with self._lock:
            for trace in self._devices.values():
                one = trace.known.get(key)
                if one is not None:
                    one.fate = fate
                    trace.changed(one)

    def concerned(self, target: Target) -> list[int]:
        """Return the watched devices that an instruction to a target is for."""
        with self._lock:
            return [one.device for one in self._devices.values() if one.concerns(target)]

    def _of(self, devices: list[int]) -> Iterator[DeviceTrace]:
        # A device may have been closed meanwhile.
        for device in devices:
            trace = self._devices.get(device)
            if trace is not None:
                yield trace

    def _set_watched(self) -> None:
        watched = None
        if self._devices:
            watched = np.zeros(len(self._roster), np.bool_)
            watched[list(self._devices)] = True
        self.watched = watched


def _cut(payload: bytes, der_id: str) -> tuple[int, bytes]:
    """Return the start and the bytes of the part that is kept: the first 4,096 bytes, or as many
    from the middle if the device's id is beyond them, as in the message of a large project."""
    start = 0
    if len(payload) > KEPT_BYTES:
        place = payload.find(der_id.encode(errors="replace"))
        if place > KEPT_BYTES * 3 // 4:
            start = min(place - KEPT_BYTES // 4, len(payload) - KEPT_BYTES)
    return start, payload[start : start + KEPT_BYTES]
