"""One message with typical values, to show the shape of a template."""

from __future__ import annotations

import numpy as np

from gridsim.api import Batch, Format, Roster, codes_of

_NOON_MS = 1_784_030_400_000
"""2026-07-14T12:00:00Z."""


def _typical(name: str, unit: str) -> float:
    codes = codes_of(name, unit)
    return 12.34 if codes is None else max(code for code in codes.names if code < 5)


def example_of(format: Format, roster: Roster) -> str:
    """Return the first message of the first project, with typical values."""
    if not len(roster):
        return ""
    device = np.flatnonzero(roster.project == roster.project[0])
    n = len(device)
    capacity = roster.nameplate_capacity[device]
    stores = np.array(["solar" not in roster.type[place] for place in device.tolist()])
    batch = Batch(
        roster=roster,
        device=device,
        tick=np.zeros(n, np.int64),
        timestamp_ms=np.full(n, _NOON_MS, np.int64),
        is_online=np.ones(n, np.bool_),
        current_output=np.round(capacity / 4, 2),
        power_meter_measurement=np.full(n, 3.21),
        baseline=np.full(n, 3.5),
        contract_threshold=np.full(n, 1.0),
        connection_start_ms=np.full(n, _NOON_MS - 3_600_000, np.int64),
        current_soc=np.where(stores, 85.5, np.nan),
        extra={name: np.full(n, _typical(name, unit)) for name, unit in roster.columns.items()},
    )
    bodies = [body.decode() for body in format.encode(batch).bodies]
    if format.framing != "measurand":
        return bodies[0]
    values = zip(format.measurands, bodies, strict=False)
    return ", ".join(f"{name}: {body or '(none)'}" for name, body in values)
