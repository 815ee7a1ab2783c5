"""Weather from files: energy is kept, light follows the sun, errors name file and line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import Draws, Floats, Sites, Weather
from gridsim.testing import WeatherContract, make_sites
from gridsim_plugins.weather.clear import Clear, ClearSettings
from gridsim_plugins.weather.file import FileWeather
from gridsim_plugins.weather.file.daylight import monotone_slope
from gridsim_plugins.weather.file.settings import WeatherFileSettings
from tests.unit.weather_layouts.files import EPW_HEAD

HOUR_MS = 3_600_000
SITES = make_sites(1)
PLACE = {"latitude": 45.96, "longitude": -66.64}
NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
Write = Callable[..., str]


def ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


@cache
def hourly_ghi(day: int, hour: int) -> float:
    """A made-up mean over an hour of UTC at the place: clear in the morning, then broken."""
    clear = Clear(ClearSettings(), SITES, Draws(1))
    start = ms(NEW_YEAR + timedelta(days=day, hours=hour))
    values = [clear.at(start + m * 300_000).ghi[0] for m in range(12)]
    return float(np.mean(values)) * (0.35 if (hour + day) % 3 == 0 else 0.95)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "weather.csv") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def made(path: str, **settings: Any) -> FileWeather:
    where = PLACE if path.endswith("csv") else {}
    settings = {"path": path, **where, **settings}
    return FileWeather(WeatherFileSettings.model_validate(settings), SITES, Draws(1))


def three_days(columns: str = "ghi") -> tuple[str, Floats]:
    ghi = [hourly_ghi(170 + h // 24, h % 24) for h in range(72)]
    start = NEW_YEAR + timedelta(days=170)
    lines = [f"time,{columns},temperature,wind"]
    for hour, value in enumerate(ghi):
        parts = {"ghi": [value], "ghi,dhi": [value, 0.4 * value]}[columns]
        row = ",".join(f"{part:.3f}" for part in parts)
        stamp = (start + timedelta(hours=hour)).isoformat()
        lines.append(f"{stamp},{row},{10 + hour % 24},{2.5}")
    return "\n".join(lines), np.array(ghi)


def means(weather: Weather, start: datetime, hours: int) -> Floats:
    """Hourly means of (ghi, dni on the ground + dhi, dhi) from a reading every ten seconds."""
    result = []
    for hour in range(hours):
        sky = [weather.at(ms(start) + hour * HOUR_MS + s * 10_000 + 5_000) for s in range(360)]
        result.append([np.mean([s.ghi[0] for s in sky]), np.mean([s.dhi[0] for s in sky])])
    return np.array(result)


@pytest.mark.parametrize("columns", ["ghi", "ghi,dhi"])
def test_each_row_keeps_its_energy(write: Write, columns: str) -> None:
    text, ghi = three_days(columns)
    found = means(made(write(text)), NEW_YEAR + timedelta(days=171), 24)
    given_ghi = ghi[24:48]
    # Of the hours of sunrise and sunset only the sum with the neighbour is kept.
    high = given_ghi > 60.0
    np.testing.assert_allclose(found[high, 0], given_ghi[high], rtol=3e-3)
    assert found[:, 0].sum() == pytest.approx(given_ghi.sum(), rel=3e-3)
    if columns == "ghi,dhi":
        np.testing.assert_allclose(found[high, 1], 0.4 * given_ghi[high], rtol=0.01)


def test_light_is_smooth_and_goes_with_the_sun(write: Write) -> None:
    weather = made(write(three_days()[0]))
    start = ms(NEW_YEAR + timedelta(days=171))
    light = np.array([weather.at(start + s * 30_000).ghi[0] for s in range(2880)])
    assert np.abs(np.diff(light)).max() < 20.0, "a jump within 30 s"
    clear = Clear(ClearSettings(), SITES, Draws(1))
    up = np.array([clear.at(start + s * 30_000).ghi[0] > 0.5 for s in range(2880)])
    assert light[~up].max() < 3.0
    assert (light[up] > 0.0).mean() > 0.98


def test_temperature_and_wind_go_from_middle_to_middle(write: Write) -> None:
    weather = made(write(three_days()[0]))
    noon = ms(NEW_YEAR + timedelta(days=171, hours=12))
    assert weather.at(noon + HOUR_MS // 2).temperature_c[0] == pytest.approx(22.0)
    assert weather.at(noon + HOUR_MS).temperature_c[0] == pytest.approx(22.5)
    assert weather.at(noon).wind_m_s[0] == 2.5


def test_direct_and_diffuse_make_global(write: Write) -> None:
    hours = range(72)
    start = NEW_YEAR + timedelta(days=170)
    rows = [f"{(start + timedelta(hours=h)).isoformat()},600,100,20" for h in hours]
    weather = made(write("\n".join(["time,dni,dhi,temperature", *rows])))
    noon = weather.at(ms(NEW_YEAR + timedelta(days=171, hours=16, minutes=30)))
    assert noon.dni[0] == pytest.approx(600.0, rel=0.03)
    assert noon.dhi[0] == pytest.approx(100.0, rel=0.03)
    assert noon.wind_m_s[0] == 2.0


@given(
    means=st.lists(st.floats(0.0, 1000.0), min_size=2, max_size=12),
    widths=st.lists(st.floats(0.01, 1.0), min_size=12, max_size=12),
)
def test_the_slope_is_never_negative_and_integrates_to_the_energy(
    means: list[float], widths: list[float]
) -> None:
    u = np.concatenate(([0.0], np.cumsum(widths[: len(means)])))
    energy = np.concatenate(([0.0], np.cumsum(means)))
    slope = monotone_slope(u, energy)
    for row, (left, right) in enumerate(pairwise(u)):
        # Three points of Gauss are exact for the slope's parabola.
        points = left + (right - left) * (0.5 + 0.5 * np.array([-(0.6**0.5), 0.0, 0.6**0.5]))
        values = np.array([slope.at(float(point)) for point in points])
        assert (values >= 0.0).all()
        integral = float(values @ np.array([5.0, 8.0, 5.0]) / 18.0 * (right - left))
        assert integral == pytest.approx(means[row], abs=1e-6)


def epw_text() -> str:
    lines = []
    for hour in range(8760):
        at = datetime(2001, 1, 1) + timedelta(hours=hour)
        light = max(0.0, 700.0 * np.cos((at.hour + 0.5 - 12.4) / 24.0 * 2.0 * np.pi) - 100.0)
        fields = [at.year, at.month, at.day, at.hour + 1, 0, "?9", f"{at.timetuple().tm_yday / 10}"]
        fields += [0.0, 50, 101300, 0, 0, 300, f"{light:.0f}", f"{light:.0f}", f"{0.4 * light:.0f}"]
        fields += [0, 0, 0, 0, 180, 4.5, 0, 0, 20, 999, 9, 0, 10, 0, 0, 0, 0, 0, 0]
        lines.append(",".join(str(field) for field in fields))
    return EPW_HEAD.format(per_hour=1) + "\n".join(lines) + "\n"


def test_an_epw_is_a_typical_year_by_standard_time(write: Write) -> None:
    weather = made(write(epw_text(), "place.epw"))
    for year in (2023, 2024, 2026):
        # 15:30 UTC is half past eleven in the station's standard time, in summer too.
        sky = weather.at(ms(datetime(year, 7, 1, 15, 30, tzinfo=UTC)))
        yday = datetime(2001, 7, 1).timetuple().tm_yday
        assert sky.temperature_c[0] == pytest.approx(yday / 10)
        assert sky.ghi[0] == pytest.approx(595.0, rel=0.05)
        assert sky.wind_m_s[0] == 4.5
    leap = weather.at(ms(datetime(2024, 2, 29, 15, 30, tzinfo=UTC)))
    assert leap.temperature_c[0] == pytest.approx(5.9)
    turn = [
        weather.at(ms(datetime(2025, 12, 31, 3, 30, tzinfo=UTC)) + h * HOUR_MS) for h in range(4)
    ]
    assert [sky.temperature_c[0] for sky in turn] == pytest.approx([36.4, 36.5, 36.5, 36.5])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("2025-06-20T04:00Z,bright,20", "line 6: ghi is 'bright'"),
        ("2025-06-20T04:00Z,-100,20", "line 6: ghi is -100"),
        ("2025-06-20T04:00Z,0", "line 6: 2 fields, but the header has 3"),
        ("2025-06-20T05:00Z,0,20", "line 6: 7200 s after"),
        ("soon,0,20", "line 6: time is 'soon'"),
        ("2025-06-20T04:00Z,0,nan", "line 6: temperature is missing in 1 row"),
    ],
)
def test_an_error_names_file_and_line(write: Write, line: str, problem: str) -> None:
    head = ["# made up", "time,ghi,temperature"]
    rows = [f"2025-06-20T0{hour}:00Z,0,15" for hour in range(1, 4)]
    path = write("\n".join([*head, *rows, line]))
    with pytest.raises(ValueError, match=rf"weather\.csv, {problem}"):
        made(path)


def test_what_a_file_does_not_hold_is_an_error(write: Write, tmp_path: Path) -> None:
    weather = made(write(three_days()[0]))
    with pytest.raises(ValueError, match=r"covers 2025-06-20.* to 2025-06-23"):
        weather.at(ms(datetime(2025, 6, 23, 0, 1, tzinfo=UTC)))
    with pytest.raises(ValueError, match="No such file"):
        made(str(tmp_path / "none.csv"))
    with pytest.raises(ValueError, match="a column 'ghi', or both"):
        made(write("time,temperature\n2025-06-20T00:00Z,3\n2025-06-20T01:00Z,3\n"))
    with pytest.raises(ValueError, match="a typical year has 365 days"):
        made(write(three_days()[0]), typical_year=True)
    with pytest.raises(ValueError, match="set latitude and longitude"):
        made(write(three_days()[0]), latitude=None)


def test_naive_times_are_those_of_the_zone(write: Write) -> None:
    rows = [f"2025-06-20T{hour:02}:00,0,{hour}" for hour in range(24)]
    weather = made(write("\n".join(["time,ghi,temperature", *rows])), timezone="America/Moncton")
    at_ten = datetime(2025, 6, 20, 13, 30, tzinfo=UTC)
    assert weather.at(ms(at_ten)).temperature_c[0] == pytest.approx(10.0)


class TestFileContract(WeatherContract):
    weather = FileWeather

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        epw = tmp_path / "year.epw"
        epw.write_text(epw_text())
        self.paths = [str(epw)]

    def _made(self, sites: Sites) -> list[Weather]:
        validated = [WeatherFileSettings(path=path) for path in self.paths]
        return [FileWeather(one, sites, Draws(42)) for one in validated]
