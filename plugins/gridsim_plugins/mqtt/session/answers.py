"""The parser of a broker's answers to a client that only publishes, in blocks of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PUBACK, PUBREC, PUBCOMP, PINGRESP, DISCONNECT = 0x40, 0x50, 0x70, 0xD0, 0xE0

_WITH_ID = (PUBACK, PUBREC, PUBCOMP)
_NO_IDS = np.empty(0, np.uint16)
_LONGEST = 1 << 20


class ProtocolError(ValueError):
    """An error for bytes from the broker that violate MQTT."""


class AnswerGroup(NamedTuple):
    """Consecutive packets of one kind and reason code."""

    kind: int
    """The packets' first byte."""
    reason: int
    """The reason code of MQTT 5; 0 with MQTT 3.1.1."""
    packets: int
    ids: NDArray[np.uint16]
    """The packet ids, uint16[count]; empty for kinds without packet ids."""


_ONE_PING = AnswerGroup(PINGRESP, 0, 1, _NO_IDS)


class AnswerParser:
    """A parser of a broker's bytes, which may arrive in pieces of any size."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[AnswerGroup]:
        """Add bytes and return the packets that are now complete. Raises ProtocolError."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        elif data == b"\xd0\x00":
            return [_ONE_PING]
        runs: list[AnswerGroup] = []
        # Most answers are of equal length, and then one look at the rows finds them all.
        at, look = 0, len(data)
        while at + 2 <= len(data):
            start, size = _length(data, at + 1)
            if start + size > len(data) or not start:
                break
            stride = start + size - at
            if start - at > 2:
                # Answers of this length have properties. They are rare, so they are read one by
                # one.
                rows = np.frombuffer(data, np.uint8, stride, at)[None]
            else:
                count = min((len(data) - at) // stride, look)
                rows = np.frombuffer(data, np.uint8, count * stride, at).reshape(count, stride)
                different = np.flatnonzero(rows[:, 1] != size)
                # After a packet of another length, the rows do not start at a packet.
                rows = rows[: different[0]] if len(different) else rows
                # Look further ahead only if packets of equal length follow each other: the cost
                # stays linear for a stream in which every length differs.
                look = 2 * len(rows) + 1
            runs += _runs(rows, start - at, size)
            at += len(rows) * stride
            if runs[-1].kind == DISCONNECT:
                return runs
        self._rest = data[at:]
        return runs


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Return the start of a packet's rest (0 if not known yet), and the rest's length."""
    size = shift = 0
    for place in range(at, min(at + 4, len(data))):
        size |= (data[place] & 127) << shift
        shift += 7
        if size > _LONGEST or (shift == 28 and data[place] > 127):
            raise ProtocolError(f"the broker sent a packet of {size} bytes or more")
        if data[place] < 128:
            return place + 1, size
    return 0, 0


def _runs(rows: NDArray[np.uint8], body: int, size: int) -> Iterator[AnswerGroup]:
    """Yield the groups of packets of one length, a row each; `body` is the fixed header's size."""
    kinds = rows[:, 0]
    reasons = rows[:, body + 2] if size > 2 else np.zeros_like(kinds)
    change = (kinds[1:] != kinds[:-1]) | (reasons[1:] != reasons[:-1])
    bounds = [0, *(np.flatnonzero(change) + 1).tolist(), len(rows)]
    for first, end in pairwise(bounds):
        kind, reason = int(kinds[first]), int(reasons[first])
        if kind == PINGRESP and size == 0:
            yield AnswerGroup(kind, 0, end - first, _NO_IDS)
        elif kind in _WITH_ID and size >= 2:
            pairs = np.ascontiguousarray(rows[first:end, body : body + 2])
            yield AnswerGroup(
                kind, reason, end - first, pairs.view(">u2").ravel().astype(np.uint16)
            )
        elif kind == DISCONNECT:
            yield AnswerGroup(kind, int(rows[first, body]) if size else 0, 1, _NO_IDS)
            return
        else:
            raise ProtocolError(f"the broker sent an unexpected packet 0x{kind:02x}, {size} bytes")
