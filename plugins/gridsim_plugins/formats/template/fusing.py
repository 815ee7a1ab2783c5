"""From the items of a message to its pieces: constant texts are joined to their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gridsim_plugins.formats.template.pieces import (
    AllOptional,
    ConstantText,
    DeviceText,
    Optional,
    Piece,
    SlowValue,
)
from gridsim_plugins.formats.template.value_pieces import Affixed, FixedDecimals, Shortest
from gridsim_plugins.formats.template.values import Mask

Part = bytes | Callable[[], list[bytes]] | SlowValue
"""A constant text, the texts of a constant of each device, or a value that rarely changes."""
Item = Part | Piece


@dataclass(slots=True)
class Laid:
    """The items of a part of the template, and the condition under which it is left out."""

    items: list[Item]
    absent: list[Mask] = field(default_factory=list)
    """The columns without which it is left out of its object or array."""
    absent_element: list[Mask] = field(default_factory=list)
    """The columns without which the element of an array that contains it is left out."""
    offset: int = 0


def joined(opening: bytes, laid: list[Laid], closing: bytes, devices: int) -> Laid:
    """Return an object or array of its items, with commas between those that are there."""
    result = Laid([opening])
    for one in laid:
        result.absent_element += one.absent_element
        result.offset = result.offset or one.offset
    if laid and all(one.absent for one in laid):
        pieces = [left_out([b",", *one.items], one.absent, devices) for one in laid]
        result.items = [AllOptional(opening, pieces, closing)]
        return result
    first = next((place for place, one in enumerate(laid) if not one.absent), 0)
    for place, one in enumerate(laid):
        items = one.items
        if place < first:
            items = [*items, b","]
        elif place > first:
            items = [b",", *items]
        result.items += [left_out(items, one.absent, devices)] if one.absent else items
    result.items.append(closing)
    return result


def left_out(items: Sequence[Item], absent: Sequence[Mask], devices: int) -> Piece:
    """Return the items as a piece that is left out where a column has no value."""
    pieces = fused(items, devices)
    only = pieces[0] if len(pieces) == 1 else None
    if isinstance(only, FixedDecimals | Shortest) and only.leaves_out and len(absent) == 1:
        only.is_sealed = True
        return only
    return Optional(pieces, absent)


def fused(items: Sequence[Item], devices: int) -> list[Piece]:
    """Return the items as pieces, with the constant texts joined to their neighbours."""
    pieces: list[Piece] = []
    pending: list[Part] = []

    def flush() -> None:
        if not pending:
            return
        if all(isinstance(one, bytes) for one in pending):
            text = b"".join(one for one in pending if isinstance(one, bytes))
            last = pieces[-1] if pieces else None
            if isinstance(last, Affixed) and not last.is_sealed:
                last.after += text
            else:
                pieces.append(ConstantText(text))
        else:
            pieces.append(DeviceText(tuple(pending), devices))
        pending.clear()

    for item in items:
        if isinstance(item, bytes | SlowValue) or callable(item):
            pending.append(item)
            continue
        only_bytes = all(isinstance(one, bytes) for one in pending)
        if isinstance(item, Affixed) and not item.is_sealed and only_bytes:
            item.before = b"".join(one for one in pending if isinstance(one, bytes)) + item.before
            pending.clear()
        flush()
        pieces.append(item)
    flush()
    return pieces
