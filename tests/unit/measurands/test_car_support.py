"""Grid support of chargers with vehicle-to-grid: power, limits, and the energy of the cars."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from gridsim.api import Floats, GridSample, Orders
from gridsim.testing import FleetContract, make_members, make_tick
from gridsim_plugins.ders.ev_charger import EvCharger
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings

EVENING_MS = int(datetime(2026, 7, 2, 0, tzinfo=UTC).timestamp() * 1000)  # 21:00 in Moncton
N, TICK_S, CAPACITY_KWH, EFFICIENCY = 40, 600.0, 60.0, 0.9
V2G = {
    "nameplate_capacity": 7.2,
    "managed": True,
    "v2g": True,
    "battery_capacity_kwh": CAPACITY_KWH,
    "efficiency": 100.0 * EFFICIENCY,
    "fluctuation": 0.0,
    "min_soc_at_departure": 0.0,
    "sessions_per_day": 0.8,
}
ON = {**V2G, "freq_watt": True, "volt_var": "category_b"}


class TestSupportContract(FleetContract):
    fleet = EvCharger
    settings = (V2G, ON)


def fleet_of(settings: dict[str, Any]) -> EvCharger:
    return EvCharger(make_members(EvChargerSettings, [settings] * N, start_ms=EVENING_MS))


def stepped(
    fleet: EvCharger, index: int, hz: float, voltage: float = 1.0, **limits: Floats
) -> tuple[Floats, Floats, Floats | None]:
    """Return the output, the state of charge before the tick, and the reactive power."""
    one = np.ones(1)
    grid = GridSample(hz * one, 60.0 * one, voltage * one, 0.0 * one, 0.0 * one)
    tick = replace(make_tick(index, tick_s=TICK_S, start_ms=EVENING_MS), grid=grid)
    told = fleet.step(tick, Orders(np.full(N, np.nan), np.zeros(N), **limits))
    assert told.current_soc is not None
    return told.current_output, told.current_soc, told.reactive_kvar


@pytest.mark.parametrize("hz", [58.0, 59.5, 60.5])
def test_cars_follow_the_frequency_and_their_energy_follows_the_power(hz: float) -> None:
    plain, support = fleet_of(V2G), fleet_of(ON)
    without, soc, _ = stepped(plain, 0, hz)
    supported, before, kvar = stepped(support, 0, hz)
    np.testing.assert_array_equal(soc, before)
    change = -np.sign(hz - 60.0) * (abs(hz - 60.0) - 0.036) / 3.0 * 7.2
    charging = without < -0.1
    assert charging.sum() >= 3
    assert not supported[np.isnan(soc)].any()
    free = charging & (supported < 0.0) & (without > -7.1)
    wanted = np.maximum(without + change, -7.2)
    if change > 0.0:
        np.testing.assert_allclose(supported[charging], wanted[charging], atol=1e-9)
    else:
        # A car is at most as able as it is full.
        assert (supported[charging] <= without[charging] + 1e-12).all()
        assert (supported[free] >= wanted[free] - 1e-9).all()
    assert kvar is not None
    assert not kvar.any()
    _, after, _ = stepped(support, 1, 60.0)
    stored = np.where(supported < 0.0, -supported * EFFICIENCY, -supported / EFFICIENCY)
    stays = ~np.isnan(soc) & ~np.isnan(after)
    gained = (after - before) / 100.0 * CAPACITY_KWH
    np.testing.assert_allclose(gained[stays], stored[stays] * TICK_S / 3600.0, atol=1e-6)


def test_a_limit_binds_the_support_and_reactive_power_follows_the_voltage() -> None:
    _, soc, kvar = stepped(fleet_of(ON), 0, 60.0, 0.9)
    assert kvar is not None
    output, _, _ = stepped(fleet_of(V2G), 0, 60.0)
    draws = output < -0.2 * 7.2
    np.testing.assert_allclose(kvar[draws], 0.44 * 7.2, atol=1e-6)
    assert not kvar[np.isnan(soc)].any()
    limited, _, _ = stepped(fleet_of(ON), 0, 57.0, max_kw=np.full(N, 0.5))
    assert limited.max() == 0.5


def test_a_charger_without_v2g_has_no_support() -> None:
    with pytest.raises(ValidationError, match="need v2g = true"):
        EvChargerSettings.model_validate({**ON, "v2g": False})
    assert stepped(fleet_of(V2G), 0, 60.0)[2] is None
