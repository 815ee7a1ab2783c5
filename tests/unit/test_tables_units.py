"""Units, gaps and local clocks of tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gridsim.helpers.tables import (
    RowError,
    conversion_of,
    filled,
    read_stamps,
    read_table,
    time_of_day,
    unit_of,
    utc_of_local,
)
from gridsim.helpers.tables.units import Quantity

BERLIN = ZoneInfo("Europe/Berlin")


def local(*texts: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(texts, "datetime64[ms]").astype(np.int64)


@pytest.mark.parametrize(
    ("header", "quantity", "value"),
    [
        ("wind_speed_10m (km/h)", "speed", 12 / 3.6),
        ("wind [km h-1]", "speed", 12 / 3.6),
        ("wind_kmh", "speed", 12 / 3.6),
        ("Wind, mph", "speed", 12 * 0.44704),
        ("wind (kn)", "speed", 12 * 1852 / 3600),
        ("wind (m/s)", "speed", 12.0),
        ("WS10m", "speed", 12.0),
        ("P (W)", "power", 0.012),
        ("power_w", "power", 0.012),
        ("MW", "power", 12_000.0),
        ("kw", "power", 12.0),
        ("Wirkleistung in kW", "power", 12.0),
        ("Verbrauch [kWh]", "power", 48.0),
        ("energy_Wh", "power", 0.048),
        ("G(h)", "irradiance", 12.0),
        ("GHI (W/m^2)", "irradiance", 12.0),
        ("shortwave_radiation (W/m²)", "irradiance", 12.0),
        ("ghi (W m-2)", "irradiance", 12.0),
        ("ghi (kW/m2)", "irradiance", 12_000.0),
        ("ghi (Wh/m2)", "irradiance", 48.0),
        ("FG_LBERG [J/cm2]", "irradiance", 12 * 10_000 / 900),
        ("temperature_2m (°C)", "temperature", 12.0),
        ("temperature (°F)", "temperature", (12 - 32) / 1.8),
        ("temp_f", "temperature", (12 - 32) / 1.8),
        ("T [K]", "temperature", 12 - 273.15),
        ("T2m", "temperature", 12.0),
        ("wind_km_h", "speed", 12 / 3.6),
        ("wind_km_per_h", "speed", 12 / 3.6),
        ("WindSpeedKmh", "speed", 12 / 3.6),
        ("knots_mean", "speed", 12 * 1852 / 3600),
        ("wind_m_s", "speed", 12.0),
        ("ghi_kw_m2", "irradiance", 12_000.0),
        ("PowerW", "power", 0.012),
        ("power_w_mean", "power", 0.012),
        ("kW", "power", 12.0),
        ("loadkW", "power", 12.0),
        ("totalkWh", "power", 48.0),
        ("gw_load", "power", 12.0),
    ],
)
def test_the_unit_of_a_header_counts(header: str, quantity: Quantity, value: float) -> None:
    conversion = unit_of(header, quantity)
    values = np.array([12.0]) if conversion is None else conversion.apply(np.array([12.0]), 900.0)
    assert values[0] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("header", "quantity"),
    [("wind (kW)", "speed"), ("P (kVA)", "power"), ("power_kva", "power"),
     ("ghi (lux)", "irradiance"), ("wind (km/d)", "speed"), ("temperature (hPa)", "temperature"),
     ("wind (Bft)", "speed"), ("ghi (langley)", "irradiance")],
)  # fmt: skip
def test_a_unit_of_another_quantity_is_an_error(header: str, quantity: Quantity) -> None:
    with pytest.raises(ValueError, match="which is not one of"):
        unit_of(header, quantity)


def test_a_unit_or_a_factor_of_a_setting() -> None:
    assert conversion_of("km/h", "speed").factor == 1 / 3.6
    assert conversion_of(0.001, "power").apply(np.array([5.0]), 60.0).tolist() == [0.005]
    with pytest.raises(ValueError, match="'kW' is not a unit of speed; there are: m/s, km/h"):
        conversion_of("kW", "speed")


def test_gaps_are_filled_up_to_the_longest() -> None:
    nan = float("nan")
    values = np.array([1.0, nan, nan, 4.0, nan])
    result, count = filled(values, "kw", 900.0, 1800.0, "fill_gaps_s")
    assert (result.tolist(), count) == ([1.0, 2.0, 3.0, 4.0, 4.0], 3)
    with pytest.raises(
        RowError, match=r"kw is missing in 2 rows \(1800 s\), longer than"
    ) as caught:
        filled(values, "kw", 900.0, 1799.0, "fill_gaps_s")
    assert caught.value.row == 1
    with pytest.raises(RowError, match=r"in 1 row \(900 s\); set fill_gaps_s = 900"):
        filled(values[3:], "kw", 900.0, 0.0, "fill_gaps_s")
    with pytest.raises(RowError, match="kw is missing in all rows"):
        filled(np.array([nan]), "kw", 900.0, 1e9, "fill_gaps_s")


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("0:00", 0), ("00:00", 0), ("9:05", 545), ("23:59:00", 1439), ("24:00", 1440), ("6h", 360),
     ("12:00 AM", 0), ("1:30 pm", 810), ("12:15 a.m.", 15), ("1PM", 780), ("0AM", None),
     ("00:15 - 00:30", 15), ("24:01", None), ("25:00", None),
     ("12:60", None), ("13:00 PM", None), ("noon", None), ("", None), ("2026-07-14", None)],
)  # fmt: skip
def test_times_of_day(text: str, minutes: int | None) -> None:
    assert time_of_day(text) == (None if minutes is None else minutes * 60_000)


def test_the_hour_that_a_clock_repeats_has_two_passes() -> None:
    hours = ["01:00", "02:00", "02:30", "02:00", "02:30", "03:00"]
    utc = utc_of_local(local(*(f"2026-10-25T{hour}" for hour in hours)), BERLIN)
    expected = ["2026-10-24T23:00", "2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T01:00",
                "2026-10-25T01:30", "2026-10-25T02:00"]  # fmt: skip
    assert utc.tolist() == local(*expected).tolist()


def test_every_hour_of_a_year_by_a_local_clock() -> None:
    for zone in ("Europe/Berlin", "America/Moncton", "Australia/Lord_Howe", "Asia/Kathmandu"):
        start = datetime(2026, 1, 1, tzinfo=UTC)
        times = [start + timedelta(minutes=30 * n) for n in range(2 * 8760)]
        wall = [time.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for time in times]
        found = utc_of_local(np.array(wall, "datetime64[ms]").astype(np.int64), ZoneInfo(zone))
        assert found.tolist() == [round(time.timestamp() * 1000) for time in times]


def test_a_time_that_a_clock_skips_is_an_error() -> None:
    with pytest.raises(
        RowError, match="2026-03-29 02:30 does not exist in Europe/Berlin"
    ) as caught:
        utc_of_local(local("2026-03-29T01:30", "2026-03-29T02:30"), BERLIN)
    assert caught.value.row == 1
    assert "'Etc/GMT-1'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "columns", "time", "kind"),
    [
        ("Date,Time,kw\n14.07.2026,24:00,1\n", ["Date", "Time"], "2026-07-15T00:00", True),
        ("Datum;Uhrzeit;kw\n14.07.2026;9:15;1\n", ["Uhrzeit"], "2026-07-14T09:15", False),
        ("date,time,kw\n2026-07-14,09:15,1\n", ["time"], "2026-07-14T09:15", False),
        ("Year,Month,Day,Hour,Minute,kw\n2026,7,14,9,30,1\n", ["time"], "2026-07-14T09:30", False),
        ("Date (MM/DD/YYYY),kw\n01/02/2026,1\n", ["Date (MM/DD/YYYY)"], "2026-01-02", False),
        ("Date (DD/MM/YYYY),kw\n01/02/2026,1\n", ["Date (DD/MM/YYYY)"], "2026-02-01", False),
        ("timestamp,kw\n2026-07-14 09:15,1\n", ["time"], "2026-07-14T09:15", False),
    ],
)
def test_times_in_one_or_several_columns(
    tmp_path: Path, text: str, columns: list[str], time: str, kind: bool
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    stamps = read_stamps(read_table(path, [*columns, "kw"]), columns)
    assert stamps.ms.tolist() == local(time).tolist()
    assert (stamps.aware, stamps.of_day, stamps.at_24) == (False, False, kind)
