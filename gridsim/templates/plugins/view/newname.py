"""The view `newname`: a line for each snapshot of the run, in a file.

Replace the file by your display. A view gets at most four snapshots a second, and through its
control it can call events, send commands and change the speed.
"""

from __future__ import annotations

from gridsim.api import (
    Control,
    LocalPath,
    Register,
    Settings,
    Snapshot,
    View,
    hookimpl,
    rfc3339,
)
from pydantic import Field


class NewNameSettings(Settings):
    """Settings of the view."""

    path: LocalPath = Field(description="the file, relative to the folder of the configuration")


class NewName(View[NewNameSettings]):
    """A line for each snapshot: time, state, power by type and events."""

    Settings = NewNameSettings

    def describe(self) -> str:
        return f"lines in {self.settings.path}"

    def start(self, control: Control) -> None:
        self._file = open(self.settings.path, "w", encoding="utf-8")  # noqa: SIM115

    def show(self, snapshot: Snapshot) -> None:
        # A snapshot is the newest state: ticks between two snapshots are left out.
        power = ", ".join(f"{kind} {kw:+.2f} kW" for kind, kw in snapshot.kw.items())
        events = ", ".join(snapshot.running_events) or "no event"
        line = f"{rfc3339(snapshot.time_ms)} {snapshot.status.state}: {power}; {events}"
        print(line, file=self._file, flush=True)

    def close(self) -> None:
        self._file.close()


@hookimpl
def gridsim_register(register: Register) -> None:
    register.view("newname", NewName)
