"""Messages whose text a fault alters, between format and transport."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from gridsim.api import Batch, Format, MessageFault, Payloads
from gridsim.delivery.decorator import FormatDecorator, encoded_parts
from gridsim.errors import PluginError

NamedFault = tuple[str, MessageFault]


class AlteringFormat(FormatDecorator):
    """A format after which faults alter the texts of the rows that are labelled so.

    A pure function of the rows, so that a message that is sent again is altered in the same
    way. The first labelled row of a message decides which fault alters it.
    """

    def __init__(self, format: Format, faults: Mapping[int, NamedFault]) -> None:
        """Wrap `format`; `faults` by their indices in the scenario, each with its type's name."""
        super().__init__(format)
        self._faults = faults

    def encode(self, batch: Batch) -> Payloads:
        return self._altered(batch, self._format.encode(batch))

    def encode_parts(
        self, batch: Batch, rows: int | None = None
    ) -> Iterator[tuple[Batch, Payloads]]:
        for part, payloads in encoded_parts(self._format, batch, rows):
            yield part, self._altered(part, payloads)

    def _altered(self, batch: Batch, payloads: Payloads) -> Payloads:
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
            bodies[place] = _alter(name, fault, bodies[place], float(labels.chance[row]))
        return Payloads(bodies, payloads.starts)


def _alter(name: str, fault: MessageFault, body: bytes, chance: float) -> bytes:
    try:
        altered = fault.alter(body, chance)
    except (Exception, SystemExit) as error:
        raise PluginError(f"the fault {name!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(altered, bytes) or not altered:
        raise PluginError(
            f"the fault {name!r} failed: alter() must return non-empty bytes, not {altered!r:.100}"
        )
    return altered
