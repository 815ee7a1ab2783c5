"""The check of what a format hands to its transport."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gridsim.api import Batch, Format, Framing, Payloads
from gridsim.delivery.decorator import innermost
from gridsim.errors import PluginError, place_of, printable

_EACH: Mapping[Framing, str] = {
    "der": "reading",
    "project": "group of readings of one project",
    "measurand": "measurand of each reading",
    "batch": "group of readings",
}


def checked_payloads(title: str, format: Format, batch: Batch, payloads: object) -> Payloads:
    """Return the payloads of a batch. Raises PluginError, with the format's title, if they are
    not those of the format's framing.

    A wrong number would make the account of the transport wrong.
    """
    wrong = _wrong(format, batch, payloads)
    if wrong:
        raise PluginError(f"{title} returned {wrong}{place_of(innermost(format).encode)}")
    assert isinstance(payloads, Payloads)
    return payloads


def _wrong(format: Format, batch: Batch, payloads: object) -> str:
    """Return the words for what is wrong with the payloads; empty: nothing."""
    if not isinstance(payloads, Payloads):
        return f"{_kind(payloads)} instead of Payloads"
    bodies, starts = payloads.bodies, payloads.starts
    if not isinstance(bodies, Sequence) or isinstance(bodies, str | bytes):
        return f"bodies of type {_kind(bodies)}: it must be a list"
    expected, each = format.starts(batch), _EACH[format.framing]
    if len(bodies) != len(expected) - 1:
        return (
            f"{len(bodies):,} bodies for {len(batch):,} readings: "
            f"{len(expected) - 1:,} are expected, one for each {each}"
        )
    if not set(map(type, bodies)) <= {bytes}:
        other = next(body for body in bodies if type(body) is not bytes)
        return f"a body of type {_kind(other)} instead of bytes"
    if not isinstance(starts, np.ndarray) or starts.dtype.kind not in "iu":
        return f"starts of type {_kind(starts)}: integers are expected"
    if not np.array_equal(starts, expected):
        return (
            f"starts that do not fit its bodies: they must hold the first row of "
            f"each {each}, then {len(batch):,}, not {printable(np.array_repr(starts[:8]))}"
        )
    return ""


def _kind(value: object) -> str:
    return "None" if value is None else printable(type(value).__name__)
