"""A monitor of a run that a test steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gridsim.running.plan import Options, make_plan
from tests.unit.monitor.stepped import BASE, Stepped


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def make(more: str = "", *, tick_s: float = 60.0, base: str = BASE, **options: Any) -> Stepped:
        path = tmp_path / "c.toml"
        path.write_text(base.replace("TICK", str(tick_s)) + more)
        return Stepped(make_plan(Options(config=path)).configuration.scenario, **options)

    return make
