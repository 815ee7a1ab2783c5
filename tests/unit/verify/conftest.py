"""Messages of a run, and of a run with faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.ledgers import FAULTS, Kept, copy_of_kept


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return copy_of_kept(tmp_path)


@pytest.fixture
def broken(tmp_path: Path) -> Kept:
    return copy_of_kept(tmp_path, FAULTS)
