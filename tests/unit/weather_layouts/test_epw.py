"""The layout EPW: values, marks, places and errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.unit.weather_layouts.files import HOUR_MS, Write, epw, ms, read


def test_an_epw_is_what_pvlib_reads(write: Write) -> None:
    from pvlib import iotools

    path = write(epw(), "place.epw")
    series, line = read(path)
    rows, meta = iotools.read_epw(path)
    for name, own in (("ghi", series.ghi), ("dni", series.dni), ("dhi", series.dhi)):
        assert own is not None
        np.testing.assert_array_equal(own, rows[name])
    np.testing.assert_array_equal(series.temperature_c, rows["temp_air"])
    np.testing.assert_array_equal(series.wind_m_s, rows["wind_speed"])
    assert (series.latitude, series.longitude) == (meta["latitude"], meta["longitude"])
    assert series.offset_ms == meta["TZ"] * HOUR_MS
    assert rows.index[0].hour == 0
    assert series.rows(np.array([ms("2026-01-01T04:00")])).tolist() == [0]
    assert line.endswith(
        "place.epw: read 8,760 rows, EPW, standard time UTC-4 h, interval end, the year repeats"
    )


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        ({"temp": "99.9"}, "dry bulb temperature"),
        ({"ghi": "9999"}, "global horizontal radiation"),
        ({"dni": "9999.0"}, "direct normal radiation"),
        ({"dhi": "99999"}, "diffuse horizontal radiation"),
        ({"dhi": ""}, "diffuse horizontal radiation"),
        ({"ghi": "-9999"}, "global horizontal radiation"),
        ({"wind": "999"}, "wind speed"),
    ],
)
def test_marks_of_an_epw_are_never_values(write: Write, mark: dict[str, str], name: str) -> None:
    path = write(epw(marks=mark), "place.epw")
    line = 8 + 181 * 24 + 13
    problem = rf"place\.epw, line {line}: {name} is missing in 2 rows \(7200 s\); set fill_gaps_s"
    with pytest.raises(ValueError, match=problem):
        read(path)
    with pytest.raises(ValueError, match="longer than fill_gaps_s = 7199"):
        read(path, fill_gaps_s=7199)
    series, log = read(path, fill_gaps_s=7200)
    assert f"2 missing values of {name} filled" in log
    noon = slice(181 * 24 + 11, 181 * 24 + 15)
    assert series.temperature_c[noon].tolist() == [11.5, 12.5, 13.5, 14.5]
    assert series.wind_m_s[noon].tolist() == [4.5] * 4


@pytest.mark.parametrize(
    ("mark", "problem"),
    [
        ({"temp": "120"}, r"dry bulb temperature is 120, which is not between -90 and 65 °C"),
        ({"ghi": "5000"}, r"radiation is 5000, which is not between -20 and 2000 W/m2"),
        ({"dni": "many"}, r"direct normal radiation is 'many', which is not a number"),
        ({"wind": "calm"}, r"wind speed is 'calm', which is not a number"),
        ({"wind": "-1"}, r"wind speed is -1, which is not between 0 and 75 m/s"),
    ],
)
def test_a_wrong_value_of_an_epw_is_an_error(
    write: Write, mark: dict[str, str], problem: str
) -> None:
    with pytest.raises(ValueError, match=rf"line {8 + 181 * 24 + 13}: .*{problem}"):
        read(write(epw(marks=mark), "place.epw"), fill_gaps_s=7200)


def test_an_epw_in_latin_1_with_a_leap_year_and_half_hours(write: Write) -> None:
    text = epw().replace("Fredericton", "Münster")
    series, line = read(write(text, "place.epw", "latin-1"))
    assert len(series) == 8760
    assert ", cp1252, " in line
    series, _ = read(write(epw(2024, days=366), "place.epw"))
    assert (len(series), series.typical_year) == (8760, True)
    series, _ = read(write(epw(2024, days=366), "place.epw"), typical_year=False)
    assert (len(series), series.start_ms) == (8784, ms("2024-01-01T04:00"))
    series, _ = read(write(epw(per_hour=2), "place.epw"))
    assert (len(series), series.step_ms) == (17_520, HOUR_MS // 2)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: text.replace("LOCATION,", "LOC,"), "line 1: is not LOCATION"),
        (lambda text: text.replace("DATA PERIODS", "DATA"), "there is no line DATA PERIODS"),
        (lambda text: text[: text.index("2001,1,1,2,")], "at least two rows"),
        (lambda text: text.replace("2001,1,1,2,0,", "2001,1,1,25,0,"), "line 10: 2001-1-1-25-0 is"),
        (lambda text: text.replace("2001,1,1,2,0,?9,", "2001,1,1,2\n"), "line 10: 4 fields"),
        (lambda text: text[: text.index("2001,3,1,")], "a typical year has 365 days"),
        (lambda text: "PK\x03\x04", "is an Excel workbook"),
    ],
)
def test_a_broken_epw_is_one_short_line(
    write: Write, change: Callable[[str], str], problem: str
) -> None:
    with pytest.raises(ValueError, match=r"place\.epw") as caught:
        read(write(change(epw()), "place.epw"))
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 400
