"""The parser of a broker's answers to a client that only publishes, in blocks of bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridsim_plugins.mqtt.session.reasons import REFUSAL

PUBACK, PUBREC, PUBCOMP, PINGRESP, DISCONNECT = 0x40, 0x50, 0x70, 0xD0, 0xE0
PINGRESP_PACKET = b"\xd0\x00"

_WITH_ID = (PUBACK, PUBREC, PUBCOMP)
_NO_IDS = np.empty(0, np.uint16)
_LONGEST = 1 << 20
_PUBACK_SIZES = (4, 5)
"""The size of a PUBACK without and with a reason code."""


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


ONE_PING = AnswerGroup(PINGRESP, 0, 1, _NO_IDS)


class AnswerParser:
    """A parser of a broker's bytes, which may arrive in pieces of any size."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    @property
    def is_within_packet(self) -> bool:
        """True if the last bytes do not end a packet."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[AnswerGroup]:
        """Add bytes and return the packets that are now complete. Raises ProtocolError."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        elif data == PINGRESP_PACKET:
            return [ONE_PING]
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


def accepted_ids(pieces: Sequence[bytes]) -> tuple[NDArray[np.int64], list[int]] | None:
    """Return the packet ids of the PUBACKs in many pieces, and their number in each piece.

    Return None unless all pieces are whole PUBACKs of one length that refuse nothing.
    """
    size = 2 + pieces[0][1]
    joined = b"".join(pieces)
    counts = [len(piece) // size for piece in pieces]
    if size not in _PUBACK_SIZES or sum(counts) * size != len(joined):
        return None
    rows = np.frombuffer(joined, np.uint8).reshape(-1, size)
    if (rows[:, 0] != PUBACK).any() or (rows[:, 1] != size - 2).any():
        return None
    if size > _PUBACK_SIZES[0] and (rows[:, 4] >= REFUSAL).any():
        return None
    return rows[:, 2].astype(np.int64) << 8 | rows[:, 3], counts


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
