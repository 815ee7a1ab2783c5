"""The readings that arrived in another order than they were sent, device by device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.comparison import Comparison
from gridsim.verify.matches import EXACT
from gridsim.verify.sent import Sent
from gridsim.verify.unchanged import ROWS
from gridsim.verify.values import Ints, Small


@dataclass(frozen=True, slots=True, eq=False)
class Disorder:
    """Columns of n readings that arrived unchanged, by device and order of arrival.

    They contain all readings of each device that may have one out of order.
    """

    device: Small
    time_ms: Ints
    """The time of the reading as it was sent."""
    place: Ints
    """The place of its arrival."""
    retried: NDArray[np.bool_]
    faults: NDArray[np.uint64]
    left: Small
    overtaken: NDArray[np.bool_]
    """True if a reading that was sent later arrived earlier."""
    meant: NDArray[np.bool_]
    """True if a reading of a later time was sent and arrived earlier."""


def find_disorder(comparison: Comparison) -> Disorder:
    """Return the readings of the devices that are not in order."""
    devices = _devices(comparison)

    def parts() -> Iterator[Sent]:
        if devices.any():
            for sent in comparison.unchanged.windows.read(ROWS):
                there = devices[sent.device] & (comparison.arrived[sent.number] >= 0)
                yield sent.take(there)

    sent = Sent.joined(chain([comparison.unchanged.windows.nothing()], parts()))
    place = comparison.arrived[sent.number]
    order = np.lexsort((place, sent.device))
    sent, place = sent.take(order), place[order]
    device = sent.device.astype(np.int64)
    overtaken = _behind(device, sent.number)
    return Disorder(
        device=sent.device,
        time_ms=sent.time_ms,
        place=place,
        retried=sent.retried,
        faults=sent.faults,
        left=sent.left,
        overtaken=overtaken,
        meant=_behind(device, sent.tick) & ~overtaken,
    )


def _devices(comparison: Comparison) -> NDArray[np.bool_]:
    """Return true for the devices that may have a reading out of order, bool[devices]."""
    sent, matching = comparison.sent, comparison.matching
    found = np.zeros(comparison.unchanged.times.devices, np.bool_)
    # A reading that was held back was sent after readings of later times.
    late = matching.reading[matching.how == EXACT]
    late = late[sent.left[late] > sent.tick[late]]
    found[sent.device[late]] = True
    places = comparison.arrived[comparison.arrived >= 0]
    if (places[1:] > places[:-1]).all():
        return found
    last = np.full(len(found), -1, np.int64)
    """The last place of each device."""
    for window in comparison.unchanged.windows.read(ROWS):
        place = comparison.arrived[window.number]
        there = place >= 0
        own = np.arange(len(found))
        device = np.concatenate([own, window.device[there]]).astype(np.int64)
        place = np.concatenate([last, place[there]])
        order = np.argsort(device, kind="stable")
        device, place = device[order], place[order]
        found[device[_behind(device, place + 1)]] = True
        np.maximum.at(last, device, place)
    return found


def _behind(device: Ints, order: Ints | Small) -> NDArray[np.bool_]:
    """Return whether a row follows one of the same device with a higher order.

    The rows of a device are contiguous, and devices ascend. No order is negative.
    """
    span = int(order.max(initial=0)) + 1
    place = device * span + order
    return place < np.maximum.accumulate(place)
