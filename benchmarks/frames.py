"""MQTT frames from a byte stream, compared with the readings of a separate simulation. They are
parsed by hand, so that no code of the transport is used to check itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from gridsim.api import Batch

PUBLISH, PINGREQ, DISCONNECT = 0x30, 0xC0, 0xE0
_LOOK_AHEAD = 200_000
_TOPIC = "projects/{}/ders/{}"

Message = tuple[bytes, bytes]


class TornStreamError(Exception):
    """A frame does not begin where one should: from there on nothing can be read."""


class Reading(msgspec.Struct):
    """The fields of a record that are compared with the simulation's own columns."""

    der_id: str
    project_id: str
    timestamp: str
    current_output: float


@dataclass(slots=True)
class Findings:
    right: int = 0
    missing: int = 0
    mixed: int = 0
    """Whole frames that are neither the next nor a later record of the simulation."""
    torn: int = 0
    """Frames whose payload is not a whole record."""
    bytes: int = 0

    @property
    def clean(self) -> bool:
        return not (self.missing or self.mixed or self.torn)


def parse(data: bytes) -> tuple[list[Message], int, int, bool]:
    """Return the whole PUBLISH packets of QoS 0 at the start of `data`, the number of pings between
    them, the number of bytes of both, and whether a DISCONNECT came. Raises TornStreamError.
    """
    messages: list[Message] = []
    at, pings, size = 0, 0, len(data)
    while at + 2 <= size:
        kind, remaining, shift, body = data[at], 0, 0, at + 1
        while True:
            if body == size:
                return messages, pings, at, False
            remaining |= (data[body] & 127) << shift
            shift += 7
            body += 1
            if data[body - 1] < 128:
                break
            if shift > 21:
                raise TornStreamError(f"a length of more than four bytes at byte {at}")
        end = body + remaining
        if kind in (PINGREQ, DISCONNECT) and remaining:
            raise TornStreamError(f"a packet {kind:#x} with a body at byte {at}")
        if kind == DISCONNECT:
            return messages, pings, end, True
        if kind == PINGREQ:
            pings += 1
            at = end
            continue
        if kind != PUBLISH:
            raise TornStreamError(f"no frame begins at byte {at}: {data[at : at + 16]!r}")
        if end > size:
            break
        split = body + 2 + (data[body] << 8 | data[body + 1])
        if split > end:
            raise TornStreamError(f"a topic longer than its frame at byte {at}")
        messages.append((data[body + 2 : split], data[split:end]))
        at = end
    return messages, pings, at, False


class Checker:
    """The comparison of messages, in order, with those of the simulation."""

    def __init__(self, ticks: Iterator[tuple[Batch, Sequence[bytes]]]) -> None:
        """Take the ticks: each one's batch and its encoded records."""
        self.findings = Findings()
        self._ticks = ticks
        self._expected: deque[Message] = deque()
        self._decoder = msgspec.json.Decoder(Reading)
        self._topics: list[bytes] = []

    def take(self, messages: list[Message]) -> None:
        """Compare the next messages that have arrived."""
        findings = self.findings
        while len(self._expected) < len(messages) and self._more():
            pass
        for message in messages:
            findings.bytes += len(message[1])
            if self._expected and message == self._expected[0]:
                self._expected.popleft()
                findings.right += 1
            else:
                self._odd(message)

    def end(self) -> Findings:
        """Count the messages that did not arrive as missing; return the findings."""
        while self._expected or self._more():
            self.findings.missing += len(self._expected)
            self._expected.clear()
        return self.findings

    def _odd(self, message: Message) -> None:
        """Count a frame that is not the next: a later one, another device's, or a piece of one."""
        while len(self._expected) < _LOOK_AHEAD and self._more():
            pass
        try:
            ahead = self._expected.index(message)
        except ValueError:
            try:
                self._decoder.decode(message[1])
            except msgspec.MsgspecError:
                self.findings.torn += 1
            else:
                self.findings.mixed += 1
            return
        for _ in range(ahead + 1):
            self._expected.popleft()
        self.findings.missing += ahead
        self.findings.right += 1

    def _more(self) -> bool:
        """Add the next tick; return False after the last."""
        tick = next(self._ticks, None)
        if tick is None:
            return False
        batch, bodies = tick
        self._vouch(batch, bodies)
        if not self._topics:
            self._topics = _topics(batch)
        topics = self._topics
        self._expected.extend(
            (topics[device], body)
            for device, body in zip(batch.device.tolist(), bodies, strict=True)
        )
        return True

    def _vouch(self, batch: Batch, bodies: Sequence[bytes]) -> None:
        """Check the expectation itself: each body is JSON, and has the values of the columns."""
        roster = batch.roster
        readings = [self._decoder.decode(body) for body in bodies]
        devices = batch.device.tolist()
        stamps = {ms: _stamp(ms) for ms in set(batch.timestamp_ms.tolist())}
        assert [r.der_id for r in readings] == [roster.der_id[d] for d in devices]
        assert [r.project_id for r in readings] == [
            roster.project_id[p] for p in roster.project[batch.device].tolist()
        ]
        assert [r.timestamp for r in readings] == [stamps[t] for t in batch.timestamp_ms.tolist()]
        assert [r.current_output for r in readings] == batch.current_output.tolist()


def _topics(batch: Batch) -> list[bytes]:
    roster = batch.roster
    return [
        _TOPIC.format(roster.project_id[project], der).encode()
        for project, der in zip(roster.project.tolist(), roster.der_id, strict=True)
    ]


def _stamp(milliseconds: int) -> str:
    time = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
