"""Transports and sources whose messages are traced."""

from __future__ import annotations

import numpy as np

from gridsim.api import (
    Batch,
    Format,
    Payloads,
)
from gridsim.testing import make_roster

ROSTER = make_roster((3, 2))
FIRST, SECOND = 0, 1


class Text(Format):
    """A format whose payload names the device."""

    def encode(self, batch: Batch) -> Payloads:
        bodies = [f"{batch.roster.der_id[row]}".encode() for row in batch.device.tolist()]
        return Payloads(bodies, np.arange(len(batch) + 1))
