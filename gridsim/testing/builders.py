"""Builders of small inputs: sites, members, weather, ticks, a roster, a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    Batch,
    Draws,
    Floats,
    Members,
    Roster,
    RunContext,
    Settings,
    Sites,
    Tick,
    TickBlock,
    WeatherSample,
    identities,
    numeric_fields,
)
from gridsim.helpers.holidays import Holidays
from gridsim.plugins.services import Services

START_MS = int(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp() * 1000)


def make_sites(
    n: int = 1,
    *,
    latitude: float = 45.96,
    longitude: float = -66.64,
    altitude: float = 20.0,
    timezone: str = "America/Moncton",
    holidays: Sequence[str] = (),
) -> Sites:
    """Return `n` sites at one place, with ids SITE_0, SITE_1, ..."""
    ids = [f"SITE_{i}" for i in range(n)]
    return Sites(
        ids=ids,
        keys=identities(ids),
        latitude=np.full(n, latitude),
        longitude=np.full(n, longitude),
        altitude=np.full(n, altitude),
        timezone=[timezone] * n,
        holidays=[Holidays(tuple(holidays))] * n,
    )


def make_members(
    settings_type: type[Settings],
    settings: Sequence[Mapping[str, Any]],
    *,
    sites: Sites | None = None,
    site: Sequence[int] | None = None,
    ids: Sequence[str] | None = None,
    seed: int = 42,
    start_ms: int = START_MS,
    tick_s: float = 1.0,
) -> Members[Any]:
    """Return one member per entry of `settings`, all at one site unless `site` is given."""
    stanzas = [settings_type.model_validate(entry) for entry in settings]
    names = list(ids) if ids is not None else [f"DER_{i}" for i in range(len(stanzas))]
    return Members(
        ids=names,
        keys=identities(names),
        columns={name: _column(stanzas, name) for name in numeric_fields(settings_type)},
        settings=stanzas,
        stanza=np.arange(len(stanzas)),
        site=np.zeros(len(stanzas), np.intp) if site is None else np.array(site, np.intp),
        sites=sites if sites is not None else make_sites(),
        draws=Draws(seed),
        start_ms=start_ms,
        tick_ms=round(tick_s * 1000),
    )


def make_weather(
    n: int = 1, *, ghi: float = 0.0, temperature_c: float = 20.0, wind_m_s: float = 2.0
) -> WeatherSample:
    """Return the same weather for `n` sites; three quarters of the irradiance are direct."""
    value = np.full(n, ghi)
    return WeatherSample(
        ghi=value,
        dni=0.75 * value,
        dhi=0.25 * value,
        temperature_c=np.full(n, temperature_c),
        wind_m_s=np.full(n, wind_m_s),
    )


def make_tick(
    index: int = 0,
    *,
    weather: WeatherSample | None = None,
    start_ms: int = START_MS,
    tick_s: float = 1.0,
) -> Tick:
    """Return tick `index` of a simulation that starts at `start_ms`."""
    at = start_ms + index * round(tick_s * 1000)
    return Tick(index, at, tick_s, weather if weather is not None else make_weather())


BLOCK_LENGTHS = (1, 2, 5, 1, 16, 3)
"""The lengths of the consecutive blocks of ticks in contract tests."""


def make_tick_block(
    index: int = 0,
    length: int = 8,
    *,
    sites: int = 1,
    start_ms: int = START_MS,
    tick_s: float = 1.0,
) -> TickBlock:
    """Return `length` ticks from tick `index` on; sun, temperature and wind differ by tick."""
    step_ms = round(tick_s * 1000)
    ticks = np.arange(index, index + length, dtype=np.int64)
    light = np.repeat(np.maximum(900.0 * np.sin(0.7 * ticks), 0.0)[:, None], sites, axis=1)
    warm = np.repeat((10.0 + ticks % 7)[:, None], sites, axis=1)
    weather = WeatherSample(light, 0.75 * light, 0.25 * light, warm, 0.5 * warm)
    return TickBlock(index, start_ms + ticks * step_ms, tick_s, weather)


def make_roster(ders: Sequence[int] = (2, 1), columns: Mapping[str, str] | None = None) -> Roster:
    """Return projects with `ders` devices each: batteries, and the last device solar."""
    project = np.repeat(np.arange(len(ders)), ders)
    n = len(project)
    return Roster(
        der_id=[f"DER_{i}" for i in range(n)],
        project=project,
        type=["battery_storage"] * (n - 1) + ["solar"] * min(n, 1),
        nameplate_capacity=np.full(n, 10.0),
        project_id=[f"PRJ_{i}" for i in range(len(ders))],
        is_standalone=np.zeros(len(ders), np.bool_),
        columns=dict(columns or {}),
    )


def make_batch(roster: Roster | None = None, *, ticks: int = 1, start_ms: int = START_MS) -> Batch:
    """Return readings of every device for `ticks` ticks, all different; solar devices have no
    SoC.
    """
    roster = roster if roster is not None else make_roster()
    n = len(roster) * ticks
    device = np.tile(np.arange(len(roster)), ticks)
    tick = np.repeat(np.arange(ticks), len(roster))
    row = np.arange(n, dtype=np.float64)
    solar = np.array([kind == "solar" for kind in roster.type], np.bool_)[device]
    return Batch(
        roster=roster,
        device=device,
        tick=tick,
        timestamp_ms=start_ms + tick * 1000,
        is_online=np.ones(n, np.bool_),
        current_output=np.round(row * 0.37 - 1.5, 2),
        power_meter_measurement=np.round(row * 0.11 + 2.0, 2),
        baseline=np.full(n, 5.0),
        contract_threshold=np.full(n, 4.0),
        connection_start_ms=np.full(n, start_ms - 86_400_123),
        current_soc=np.where(solar, np.nan, np.round(row % 1000 * 0.1, 1)),
        extra={name: np.full(n, 1.25) for name in roster.columns},
    )


def make_run(roster: Roster | None = None, *, start_ms: int = START_MS) -> RunContext:
    """Return a run; the caller must close its services, if any are made."""
    return RunContext(roster if roster is not None else make_roster(), start_ms, Services().get)


def some_of(members: Members[Any], rows: NDArray[np.intp]) -> Members[Any]:
    """Return the members `rows` alone, in that order; the sites do not change."""
    return members.some(rows)


def _column(stanzas: Sequence[Settings], name: str) -> Floats:
    values = [getattr(stanza, name) for stanza in stanzas]
    return np.array([np.nan if value is None else value for value in values], np.float64)
