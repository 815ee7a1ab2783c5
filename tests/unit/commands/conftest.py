"""A fleet that takes commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.commands.stepped import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)
