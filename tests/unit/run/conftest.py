"""Runs of a small fleet that end with the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.config.resolve import Flags
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from tests.unit.run.homes import CONFIG, Make


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(
        *, ticks: str | None = None, speed: float | None = None, manual: bool = True, more: str = ""
    ) -> Run:
        path = tmp_path / "config.toml"
        path.write_text((CONFIG + more).replace("OUT", str(tmp_path)))
        options = Options(config=path, duration=ticks, flags=Flags(speed=speed))
        return Run(make_plan(options), clock="manual" if manual else "real")

    return make
