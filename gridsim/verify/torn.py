"""Readings that are missing because a fault altered their messages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.matches import ALTERED, UNKNOWN, Matching
from gridsim.verify.pairing import keys_of, pair
from gridsim.verify.sent import DROPPED, Sent

Rows = NDArray[np.intp]


def torn_off(gone: Rows, sent: Sent, arrivals: Arrivals, matching: Matching) -> Rows:
    """Return the missing readings, ascending, that are explained by an altered message.

    If no altered message of a fault has arrived, the user's system discards unreadable messages.
    If a message was truncated, only some of its readings may have arrived.
    """
    rows = gone[sent.altered[gone] >= 0]
    there = np.flatnonzero(matching.arrived & (sent.altered >= 0))
    kept = np.unique(sent.altered[matching.reading[matching.how == ALTERED]])
    explained = np.isin(sent.message[rows], sent.message[there])
    explained |= ~np.isin(sent.altered[rows], kept)
    # The message of an altered text is not always known, but the number of such texts is.
    explained |= _altered_texts(arrivals, matching) >= _altered_messages(sent)
    left = np.flatnonzero(~explained)
    explained[left[_exchanged(rows[left], there, sent)]] = True
    return rows[explained]


def _altered_texts(arrivals: Arrivals, matching: Matching) -> int:
    """Return the number of texts that faults altered and that arrived."""
    altered = (matching.how == ALTERED) | (matching.damaged & (matching.how == UNKNOWN))
    return len(np.unique(arrivals.line[altered]))


def _altered_messages(sent: Sent) -> int:
    """Return the number of sent messages that faults altered."""
    left = (sent.altered >= 0) & ((sent.fate != DROPPED) | sent.retried)
    return len(np.unique(sent.message[left]))


def _exchanged(rows: Rows, there: Rows, sent: Sent) -> Rows:
    """Return the places in `rows` of readings that may be confused with one in `there`.

    The other one has the same device and time, and another reading of its message has arrived, so
    it may be the missing one.
    """
    messages, counts = np.unique(sent.message[there], return_counts=True)
    there = there[np.isin(sent.message[there], messages[counts > 1])]
    keys = [keys_of(len(own), (sent.device[own], sent.time_ms[own])) for own in (rows, there)]
    return pair(*keys)[0]
