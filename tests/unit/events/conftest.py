"""A run of homes with events."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.events.homes import Run, Told, made


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(text: str, *, ticks: int = 300, tick_s: float = 5.0, finish: bool = False) -> Told:
        simulation, told = made(tmp_path, text, tick_s), Told()
        for _ in range(ticks):
            told.take(simulation.advance())
        if finish:
            told.take(simulation.finish())
        return told

    return run
