"""The devices of a ledger, and the constant fields of their readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.ledger import Reader


@dataclass(frozen=True, slots=True, eq=False)
class LedgerRoster:
    der_id: Sequence[str]
    project: NDArray[np.int64]
    """The project of each device, int64[devices]."""
    project_id: Sequence[str]
    index: Mapping[str, int]
    """The device of each der_id."""
    constants: Mapping[str, Sequence[object]]
    """The constant fields, one value per device: texts, booleans, or numbers in hundredths."""

    def text(self, field: str, device: int) -> str:
        """Return the value of a constant field of a device, as text."""
        value = self.constants[field][device]
        if field == "is_standalone":
            return "true" if value else "false"
        return f"{value / 100:.2f}" if isinstance(value, int) else f"'{value}'"

    @classmethod
    def of(cls, reader: Reader) -> LedgerRoster:
        projects = reader.rows(
            "SELECT project_id, standalone, threshold FROM projects ORDER BY project"
        )
        devices = reader.rows(
            "SELECT der_id, project, type, nameplate FROM devices ORDER BY device"
        )
        ids = [row[0] for row in devices]
        of = [projects[row[1]] for row in devices]
        return cls(
            der_id=ids,
            project=np.array([row[1] for row in devices], np.int64),
            project_id=[row[0] for row in projects],
            index={name: index for index, name in enumerate(ids)},
            constants={
                "project_id": [row[0] for row in of],
                "is_standalone": [row[1] for row in of],
                "contract_threshold": [row[2] for row in of],
                "type": [row[2] for row in devices],
                "nameplate_capacity": [row[3] for row in devices],
                "units": ["kW"] * len(devices),
            },
        )
