"""Messages whose text a fault alters, between format and transport."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gridsim.api import Batch, Format, MessageFault, Payloads
from gridsim.errors import PluginError

NamedFault = tuple[str, MessageFault]


class AlteringFormat(Format):
    """A format after which faults alter the texts of the rows that are labelled so.

    A pure function of the rows, so that a message that is sent again is altered in the same
    way. A message of several rows is altered as the first of those that are labelled says.
    """

    def __init__(self, format: Format, faults: Mapping[int, NamedFault]) -> None:
        """`faults` by their places in the scenario, each with the name of its type."""
        super().__init__(format.settings, format.framing, format.roster)
        self.header = format.header
        self._format = format
        self._faults = faults

    def encode(self, batch: Batch) -> Payloads:
        payloads = self._format.encode(batch)
        labels = batch.labels
        if labels is None:
            return payloads
        rows = np.flatnonzero(labels.altered >= 0)
        if not len(rows):
            return payloads
        bodies = list(payloads.bodies)
        body = np.searchsorted(payloads.starts, rows, "right") - 1
        body, first = np.unique(body, return_index=True)
        for place, row in zip(body.tolist(), rows[first].tolist(), strict=True):
            name, fault = self._faults[int(labels.altered[row])]
            bodies[place] = _altered(name, fault, bodies[place], float(labels.chance[row]))
        return Payloads(bodies, payloads.starts)


def _altered(name: str, fault: MessageFault, body: bytes, chance: float) -> bytes:
    try:
        altered = fault.alter(body, chance)
    except (Exception, SystemExit) as error:
        raise PluginError(f"the fault {name!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(altered, bytes) or not altered:
        raise PluginError(f"the fault {name!r} made no text of a message")
    return altered
