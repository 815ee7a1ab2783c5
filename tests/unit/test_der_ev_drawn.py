"""EV chargers: the sessions that a small fleet draws for a day at once."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import numpy as np
import pytest

from gridsim.testing import make_members, make_sites
from gridsim_plugins.ders.ev_charger import schedule as schedule_module
from gridsim_plugins.ders.ev_charger.schedule import DrawnSchedule
from gridsim_plugins.ders.ev_charger.sessions import SessionKind
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings

MONDAY_MS = int(datetime(2026, 6, 29, 3, tzinfo=UTC).timestamp() * 1000)  # 00:00 in Moncton


@pytest.mark.parametrize(("kind", "per_day"), [("home", 0.7), ("workplace", 0.9), ("fast", 12.0)])
def test_sessions_looked_up_equal_those_drawn_for_the_charger(
    kind: SessionKind, per_day: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some chargers of two time zones, at times on both sides of both midnights."""
    sites = make_sites(6)
    object.__setattr__(sites, "timezone", ["America/Moncton", "Europe/Berlin"] * 3)
    sites = sites.some(np.arange(6))
    settings = [{"nameplate_capacity": 7.2}] * 6
    members = make_members(EvChargerSettings, settings, sites=sites, site=range(6))
    rows = np.array([1, 2, 3, 5])
    one, other = (DrawnSchedule(kind, members, np.full(6, per_day), rows) for _ in range(2))
    drawn = []
    for hours in range(-30, 60, 3):
        which = rows[[0, 1, 2] if hours % 2 else [2, 3]]
        for schedule, most in ((one, 10_000), (other, 0)):
            monkeypatch.setattr(schedule_module, "_MOST_DRAWN", most)
            found = schedule.at(which, MONDAY_MS + hours * 3_600_000)
            drawn.append([getattr(found, field.name).tolist() for field in fields(found)])
    assert drawn[::2] == drawn[1::2]
    assert any(any(here) for here, *_ in drawn)
