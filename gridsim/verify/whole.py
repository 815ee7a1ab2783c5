"""Arrivals that each have exactly the record that gridsim sends."""

from __future__ import annotations

import numpy as np

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.evidence import Evidence
from gridsim.verify.fields import BIT, FIELDS, SEQ
from gridsim.verify.times import NO_TIME
from gridsim.verify.values import Ints, Small


def whole_arrivals(
    evidence: Evidence,
    first_line: int,
    *,
    device: Small,
    time_ms: Ints,
    output: Small,
    meter: Small,
    baseline: Small,
    soc: Small,
    online: Small,
    since_ms: Ints,
) -> Arrivals:
    """Return the arrivals of consecutive lines, and count their fields."""
    n = len(device)
    evidence.rows += n
    for name in FIELDS:
        evidence.there[name] += n
    return Arrivals(
        device=device,
        time_ms=time_ms,
        seq=np.broadcast_to(np.int64(-1), n),
        output=output,
        meter=meter,
        baseline=baseline,
        soc=soc,
        online=online,
        since_ms=since_ms,
        absent=np.broadcast_to(np.uint16(BIT[SEQ]), n),
        strange=np.broadcast_to(np.uint16(0), n),
        garbled=np.broadcast_to(np.bool_(False), n),
        received_ms=np.broadcast_to(np.int64(NO_TIME), n),
        line=np.arange(first_line, first_line + n),
    )
