"""The contract test of views, and the control that it gives them."""

from __future__ import annotations

import numpy as np
import pytest

from gridsim.api import Control, Settings, Snapshot, View
from gridsim.testing import RecordingControl, ViewContract


class Silent(View[Settings]):
    """The least that a view can be."""

    def start(self, control: Control) -> None: ...
    def show(self, snapshot: Snapshot) -> None: ...
    def close(self) -> None: ...


class TestSilent(ViewContract):
    view = Silent


def test_the_recording_control_refuses_as_a_run_does() -> None:
    control = RecordingControl()
    with pytest.raises(ValueError, match="speed must be"):
        control.set_speed(2e6)
    with pytest.raises(KeyError):
        control.watch("DER_99")
    assert control.watch("DER_1").project_id == "PRJ_0"
    assert control.project_history(np.arange(2)).shape == (2, 60)
