"""A simulation that takes instructions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.instructed.stepped import Sim


@pytest.fixture
def sim(tmp_path: Path) -> Sim:
    return Sim(tmp_path)
