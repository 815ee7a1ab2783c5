"""The format `newname`: a line of KEY=VALUE for each reading.

Replace `_line` by your own encoding.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from gridsim.api import Batch, Format, Payloads, Register, Settings, hookimpl, rfc3339
from pydantic import Field


class NewNameSettings(Settings):
    """Settings of the format."""

    separator: str = Field(" ", min_length=1, description="the text between two fields")


class NewName(Format[NewNameSettings]):
    """A line of KEY=VALUE for each reading; a message of a project has a line per DER."""

    Settings = NewNameSettings

    def encode(self, batch: Batch) -> Payloads:
        lines = [self._line(batch, row) for row in range(len(batch))]
        if self.framing == "der":
            return Payloads(lines, np.arange(len(lines) + 1))
        starts = batch.groups()
        return Payloads([b"\n".join(lines[a:b]) for a, b in pairwise(starts.tolist())], starts)

    def _line(self, batch: Batch, row: int) -> bytes:
        roster, device = batch.roster, int(batch.device[row])
        soc = float(batch.current_soc[row])
        fields = {
            "der": roster.der_id[device],
            "project": roster.project_id[int(roster.project[device])],
            "time": rfc3339(int(batch.timestamp_ms[row])),
            "connected": rfc3339(int(batch.connection_start_ms[row])),
            "online": int(batch.is_online[row]),
            "kw": f"{batch.current_output[row]:.2f}",
            "load_kw": f"{batch.power_meter_measurement[row]:.2f}",
            "baseline_kw": f"{batch.baseline[row]:.2f}",
            "threshold_kw": f"{batch.contract_threshold[row]:.2f}",
            # NaN: the device has no storage.
            "soc": "" if math.isnan(soc) else f"{soc:.1f}",
        }
        text = self.settings.separator.join(f"{key}={value}" for key, value in fields.items())
        return text.encode()


@hookimpl
def gridsim_register(register: Register) -> None:
    register.format("newname", NewName)
