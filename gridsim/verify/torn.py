"""Readings that are missing because a fault altered their messages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.matching import ALTERED, UNKNOWN, Matching
from gridsim.verify.pairing import keys_of, pair
from gridsim.verify.sent import DROPPED, Sent

Rows = NDArray[np.intp]


def torn_off(gone: Rows, sent: Sent, arrivals: Arrivals, matching: Matching) -> Rows:
    """Of the readings that are missing, ascending, those that an alteration explains.

    Who has none of a fault's messages throws away what he cannot read; and of a torn message
    only some of the readings may be left.
    """
    rows = gone[sent.altered[gone] >= 0]
    there = np.flatnonzero(matching.arrived & (sent.altered >= 0))
    kept = np.unique(sent.altered[matching.reading[matching.how == ALTERED]])
    explained = np.isin(sent.message[rows], sent.message[there])
    explained |= ~np.isin(sent.altered[rows], kept)
    # Which of several torn messages a text is of cannot always be told, but their number.
    explained |= _altered_texts(arrivals, matching) >= _altered_messages(sent)
    left = np.flatnonzero(~explained)
    explained[left[_exchanged(rows[left], there, sent)]] = True
    return rows[explained]


def _altered_texts(arrivals: Arrivals, matching: Matching) -> int:
    """How many texts have arrived that faults altered."""
    altered = (matching.how == ALTERED) | (matching.damaged & (matching.how == UNKNOWN))
    return len(np.unique(arrivals.line[altered]))


def _altered_messages(sent: Sent) -> int:
    """How many such were sent."""
    left = (sent.altered >= 0) & ((sent.fate != DROPPED) | sent.retried)
    return len(np.unique(sent.message[left]))


def _exchanged(rows: Rows, there: Rows, sent: Sent) -> Rows:
    """Places in `rows` of those for which another of the same device and time may stand: one
    whose message is known by another reading, too, so that itself may be the one torn off."""
    messages, counts = np.unique(sent.message[there], return_counts=True)
    there = there[np.isin(sent.message[there], messages[counts > 1])]
    keys = [keys_of(len(own), (sent.device[own], sent.time_ms[own])) for own in (rows, there)]
    return pair(*keys)[0]
