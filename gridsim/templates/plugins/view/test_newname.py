"""The contract tests of gridsim, and one of the line."""

from __future__ import annotations

from pathlib import Path

from gridsim.testing import RecordingControl, ViewContract, make_run, make_snapshot

from .newname import NewName


class TestNewName(ViewContract):
    view = NewName

    def way(self, tmp_path: Path) -> dict[str, str]:
        return {"path": str(tmp_path / "run.txt")}


def test_a_line_has_the_power_of_each_type(tmp_path: Path) -> None:
    path = tmp_path / "run.txt"
    made = NewName(NewName.Settings.model_validate({"path": str(path)}), make_run())
    made.start(RecordingControl())
    made.show(make_snapshot())
    made.close()
    assert path.read_text() == (
        "2026-07-01T12:00:00.000Z running: battery_storage +0.50 kW, solar +1.00 kW; peak\n"
    )
