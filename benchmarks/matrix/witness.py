"""A view for the runs of the matrix: it records the status and the metrics of its run.

It checks at each snapshot that every account adds up, and writes the last one when it is closed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gridsim.api import Control, LocalPath, Register, Settings, Snapshot, View, hookimpl
from gridsim_plugins.views.web.metrics import exposition


class WitnessSettings(Settings):
    """Settings of the view `witness`."""

    path: LocalPath


class Witness(View[WitnessSettings]):
    """A view that writes the last status and the last metrics of its run to a file."""

    Settings = WitnessSettings

    def start(self, control: Control) -> None:
        self._control = control
        self._broken: list[str] = []
        self._most_pending = 0
        self._snapshots = 0

    def show(self, snapshot: Snapshot) -> None:
        self._snapshots += 1
        for one in self._accounts():
            self._most_pending = max(self._most_pending, one["pending"])
            settled = one["delivered"] + sum(one["dropped"].values()) + one["unconfirmed"]
            if one["accepted"] != settled + one["pending"]:
                self._broken.append(str(one))

    def close(self) -> None:
        metrics, _ = exposition(self._control, 0)
        seen = {
            "accounts": self._accounts(),
            "metrics": metrics.decode(),
            "snapshots": self._snapshots,
            "broken": self._broken,
            "most_pending": self._most_pending,
        }
        Path(self.settings.path).write_text(json.dumps(seen))

    def _accounts(self) -> list[Mapping[str, Any]]:
        return [
            {
                "name": one.name,
                "accepted": one.accepted,
                "delivered": one.delivered,
                "dropped": dict(one.dropped),
                "unconfirmed": one.unconfirmed,
                "pending": one.pending,
            }
            for one in self._control.status().transports
        ]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.view("witness", Witness)
