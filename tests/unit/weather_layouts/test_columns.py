"""Units, wrong values, gaps and local clocks in any layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from loguru import logger

from gridsim_plugins.weather.file.settings import WeatherFileSettings
from tests.unit.weather_layouts.files import HOUR_MS, PLACE, Write, epw, ms, read


def table(**columns: str) -> str:
    """A day of hours by UTC; the values of `columns` are the same in each row."""
    rows = [f"2026-07-01T{h:02}:00,{','.join(columns.values())}" for h in range(24)]
    return "\n".join([f"time,{','.join(columns)}", *rows])


def test_a_place_is_read_as_a_field_and_is_on_the_earth(write: Write) -> None:
    head, rest = epw().split("\n", 1)
    quoted = head.replace(head.split(",")[1], '"Fredericton, NB"', 1)
    place = read(write(f"{quoted}\n{rest}", "place.epw"))[0]
    assert (place.latitude, place.offset_ms) == (
        read(write(epw(), "a.epw"))[0].latitude,
        -4 * HOUR_MS,
    )
    for number, problem in (
        (6, "latitude is 520, not between -90 and 90"),
        (8, "time zone is 520"),
    ):
        fields = head.split(",")
        fields[number] = "520"
        with pytest.raises(ValueError, match=problem):
            read(write(",".join(fields) + "\n" + rest, "place.epw"))


def test_a_column_of_an_epw_without_any_value_is_left_out_if_others_do(write: Write) -> None:
    def without(*places: int) -> str:
        lines = epw().splitlines()
        for number in range(8, len(lines)):
            fields = lines[number].split(",")
            for place in places:
                fields[place] = "9999"
            lines[number] = ",".join(fields)
        return "\n".join(lines)

    series, line = read(write(without(13, 21), "place.epw"))
    assert series.ghi is None
    assert set(series.wind_m_s.tolist()) == {2.0}
    assert "global horizontal radiation missing in all rows, wind speed missing in all rows" in line
    with pytest.raises(
        ValueError, match="line 9: global horizontal radiation is missing in all rows"
    ):
        read(write(without(13, 14), "place.epw"), fill_gaps_s=1e9)


def test_irradiance_in_kilowatts_without_a_unit_is_an_error(write: Write) -> None:
    path = write(table(ghi="0.7", temperature="10"), "w.csv")
    with pytest.raises(ValueError, match=r"line 2: ghi is at most 0.7, as if in kW/m2: set units"):
        read(path, **PLACE)
    for unit, value in (("kW/m2", 700.0), ("W/m2", 0.7)):
        series, _ = read(path, **PLACE, units={"ghi": unit})
        assert series.ghi is not None
        assert series.ghi[0] == value


@pytest.mark.parametrize(
    ("header", "value", "settings"),
    [
        ("wind (m/s)", "3.5", {}),
        ("wind (km/h)", "12.6", {}),
        ("wind_kmh", "12.6", {"wind_column": "wind_kmh"}),
        ("wind", "12.6", {"units": {"wind": "km/h"}}),
        ("wind", "350", {"units": {"wind": 0.01}}),
        ("wind (m/s)", "12.6", {"units": {"wind": "km/h"}}),
    ],
)
def test_the_same_wind_in_other_units(
    write: Write, header: str, value: str, settings: dict[str, Any]
) -> None:
    text = table(ghi="0", temperature="20", **{header: value})
    series, _ = read(write(text), **PLACE, **settings)
    np.testing.assert_allclose(series.wind_m_s, 3.5, rtol=1e-12)


@pytest.mark.parametrize(
    ("columns", "settings", "problem"),
    [
        ({"ghi": "0", "temperature": "293"}, {}, "temperature is 293, which is not between"),
        ({"ghi": "0", "temp": "1"}, {}, "there is no column 'temperature'; there are: time, ghi"),
        ({"ghi": "0", "temperature": "1", "wind (kW)": "1"}, {}, "which is not one of speed"),
        ({"ghi": "0", "temperature": "1"}, {"units": {"wind": "kn"}}, "there is no column 'wind'"),
        ({"ghi": "0", "temperature": "1"}, {"units": {"ghi": "kn"}}, "is not a unit of irradiance"),
        ({"ghi": "-9999", "temperature": "1"}, {}, "line 2: ghi is missing in all rows"),
        ({"ghi": "0", "temperature": "99.9"}, {}, "line 2: temperature is missing in all rows"),
        ({"ghi": "0", "temperature": r"\N"}, {}, "line 2: temperature is missing in all rows"),
        ({"ghi": "0", "temperature": "1", "wind": "99"}, {}, "wind is missing in all rows"),
        ({"ghi": "0", "temperature": "1", "wind": "80"}, {}, "wind is 80, which is not between"),
    ],
)
def test_what_cannot_be_meant_is_an_error(
    write: Write, columns: dict[str, str], settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=r"weather\.csv") as caught:
        read(write(table(**columns)), **PLACE, **settings)
    assert problem in str(caught.value)


def test_99_kilometres_per_hour_are_a_storm(write: Write) -> None:
    text = table(ghi="0", temperature="99.9", **{"wind (km/h)": "99"})
    series, _ = read(write(text), **PLACE, units={"temperature": "F"})
    np.testing.assert_allclose(series.wind_m_s, 27.5, rtol=1e-12)
    np.testing.assert_allclose(series.temperature_c, 37.722222, rtol=1e-6)


def test_missing_rows_are_gaps(write: Write) -> None:
    lines = table(ghi="0", temperature="10").split("\n")
    path = write("\n".join([*lines[:6], *lines[8:]]))
    with pytest.raises(ValueError, match=r"line 7: 10800 s after the row above.*2 rows missing"):
        read(path, **PLACE)
    series, line = read(path, **PLACE, fill_gaps_s=7200)
    assert len(series) == 24
    assert "2 missing values of temperature filled" in line


def test_a_local_clock_with_its_repeated_hour(write: Write) -> None:
    hours = ["00", "01", "02", "02", "03", "04"]
    rows = [f"2026-10-25T{hour}:00;0;1,{n}" for n, hour in enumerate(hours)]
    path = write("\n".join(["time;ghi;temperature", *rows]))
    series, line = read(path, **PLACE, timezone="Europe/Berlin")
    assert (series.start_ms, len(series)) == (ms("2026-10-24T22:00"), 6)
    assert series.temperature_c.tolist() == [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
    assert line.endswith(
        "read 6 rows, semicolons, decimal comma, local time of Europe/Berlin, interval start"
    )
    with pytest.raises(ValueError, match="line 5: 0 s after the row above"):
        read(path, **PLACE)


def test_what_was_read_is_logged(write: Write) -> None:
    from gridsim.api import Draws
    from gridsim.testing import make_sites
    from gridsim_plugins.weather.file import FileWeather

    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(line.strip()), format="{message}")
    path = write(table(ghi="0", temperature="10"))
    settings = WeatherFileSettings.model_validate({"path": path, **PLACE})
    FileWeather(settings, make_sites(1), Draws(1))
    logger.remove(sink)
    assert lines == [f"{path}: read 24 rows, commas, UTC, interval start"]
