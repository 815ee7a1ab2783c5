"""Weather files as EnergyPlus, NSRDB, PVGIS and Open-Meteo write them, with their gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loguru import logger

from gridsim_plugins.weather.file.reading import read_weather
from gridsim_plugins.weather.file.series import Series
from gridsim_plugins.weather.file.settings import WeatherFileSettings

HOUR_MS = 3_600_000
Write = Callable[..., str]
EPW_HEAD = """LOCATION,Fredericton,NB,CAN,WYEC2,717000,45.87,-66.53,-4.0,20.0
DESIGN CONDITIONS,0
TYPICAL/EXTREME PERIODS,0
GROUND TEMPERATURES,0
HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0
COMMENTS 1,made up
COMMENTS 2,for a test
DATA PERIODS,1,{per_hour},Data,Sunday, 1/ 1,12/31
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "weather.csv", encoding: str = "utf-8") -> str:
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return str(path)

    return write


def read(path: str, **settings: Any) -> tuple[Series, str]:
    return read_weather(WeatherFileSettings.model_validate({"path": path, **settings}))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def epw(year: int = 2001, per_hour: int = 1, days: int = 365, marks: Mapping[str, str] = {}) -> str:
    """An EPW whose temperature is the hour of the day; `marks` replace values of 1 July."""
    lines = []
    for n in range(24 * days * per_hour):
        at = datetime(year, 1, 1) + timedelta(hours=n / per_hour)
        minute = 0 if per_hour == 1 else at.minute + 60 // per_hour
        row = {"temp": f"{at.hour}.5", "ghi": "100", "dni": "50", "dhi": "60", "wind": "4.5"}
        if (at.month, at.day, at.hour) in ((7, 1, 12), (7, 1, 13)):
            row |= marks
        fields = [at.year, at.month, at.day, at.hour + 1, minute, "?9", row["temp"], 0, 50, 101300]
        fields += [0, 0, 300, row["ghi"], row["dni"], row["dhi"], 0, 0, 0, 0, 180, row["wind"]]
        lines.append(",".join(str(field) for field in [*fields, *[0] * 13]))
    return EPW_HEAD.format(per_hour=per_hour) + "\n".join(lines) + "\n"


def table(**columns: str) -> str:
    """A day of hours by UTC; the values of `columns` are the same in each row."""
    rows = [f"2026-07-01T{h:02}:00,{','.join(columns.values())}" for h in range(24)]
    return "\n".join([f"time,{','.join(columns)}", *rows])


PLACE: dict[str, Any] = {"latitude": 45.0, "longitude": 8.0}


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


TMY3 = "Date (MM/DD/YYYY),Time (HH:MM),GHI (W/m^2),GHI source,DNI (W/m^2),DHI (W/m^2),Dry-bulb (C),Wspd (m/s)"  # noqa: E501


def tmy3(mark: str = "20.0") -> str:
    lines = ['723170,"GREENSBORO PIEDMONT TRIAD INT",NC,-5.0,36.100,-79.950,273', TMY3]
    for n in range(8760):
        # Each month of a typical year is of another year.
        at = datetime(2001, 1, 1) + timedelta(hours=n)
        year = 1990 + at.month
        temp = mark if (at.month, at.day, at.hour) == (7, 1, 12) else "20.0"
        end = f"{at:%m/%d}/{year},{at.hour + 1:02}:00"
        lines.append(f"{end},{100 + at.hour},1,50,60,{temp},3.5")
    return "\n".join(lines)


def test_a_tmy3_is_recognised(write: Write) -> None:
    series, line = read(write(tmy3()))
    assert (series.latitude, series.longitude, series.offset_ms) == (36.1, -79.95, -5 * HOUR_MS)
    assert series.ghi is not None
    assert series.ghi[:3].tolist() == [100.0, 101.0, 102.0]
    assert series.rows(np.array([ms("2026-01-01T05:00")])).tolist() == [0]
    assert "read 8,760 rows, commas, UTC-5 h, interval end, the year repeats" in line
    with pytest.raises(ValueError, match=r"line 4359: Dry-bulb \(C\) is missing in 1 row"):
        read(write(tmy3("-9900")))


def test_an_open_meteo_export(write: Write) -> None:
    head = "latitude,longitude,elevation,utc_offset_seconds,timezone,timezone_abbreviation\n"
    head += "52.52,13.42,38.0,7200,Europe/Berlin,CEST\n\n"
    head += "time,temperature_2m (°C),shortwave_radiation (W/m²),wind_speed_10m (km/h)\n"
    rows = [f"2026-07-01T{h:02}:00,{h}.0,{h * 10},36.0" for h in range(24)]
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        series, line = read(write(head + "\n".join(rows), encoding=encoding))
        assert (series.latitude, series.longitude) == (52.52, 13.42)
        # Irradiance is the mean over the hour before the time.
        assert series.start_ms == ms("2026-06-30T21:00")
        assert series.ghi is not None
        assert series.ghi[:2].tolist() == [0.0, 10.0]
        assert series.temperature_c[1:3].tolist() == [0.5, 1.5]
        np.testing.assert_allclose(series.wind_m_s, 10.0, rtol=1e-12)
        assert "24 rows, commas" in line
        assert "UTC+2 h, interval end, wind in km/h" in line


def test_a_pvgis_typical_year(write: Write) -> None:
    lines = ["Latitude (decimal degrees): 45.000", "Longitude (decimal degrees): 8.000"]
    lines += ["Elevation (m): 250", "month,year", "1,2015", "2,2007", ""]
    lines += ["time(UTC),T2m,RH,G(h),Gb(n),Gd(h),IR(h),WS10m,WD10m,SP"]
    for n in range(8760):
        at = datetime(2001, 1, 1) + timedelta(hours=n)
        lines.append(f"{1990 + at.month}{at:%m%d:%H}00,{at.hour},70,100,50,60,300,2.5,180,98000")
    lines += ["", "T2m: 2-m air temperature (degree Celsius)", "PVGIS (c) European Union, 2001"]
    series, line = read(write("\n".join(lines)))
    assert (series.latitude, series.longitude, series.offset_ms) == (45.0, 8.0, 0)
    assert series.typical_year
    assert series.temperature_c[:3].tolist() == [0.0, 1.0, 2.0]
    assert series.wind_m_s[0] == 2.5
    assert "2 lines after the table skipped" in line


def pvgis_hourly(slope: str, names: str, values: str) -> str:
    """Return a day of PVGIS's hourly series on a plane."""
    head = "Latitude (decimal degrees):\t45.000\r\nLongitude (decimal degrees):\t8.000\r\n"
    head += f"Elevation (m):\t250\r\nRadiation database:\tPVGIS-SARAH2\r\n\r\n\r\n{slope}"
    head += f"Azimuth: 0 deg. \r\ntime,{names},H_sun,T2m,WS10m,Int\r\n"
    rows = [f"20160701:{hour:02}10,{values},10.0,{hour}.5,2.5,0.0\r\n" for hour in range(24)]
    return head + "".join(rows) + "\r\nG(i): Global irradiance on the inclined plane (W/m2)\r\n"


@pytest.mark.parametrize(
    ("names", "values", "dhi"),
    [("G(i)", "500.0", None), ("Gb(i),Gd(i),Gr(i)", "300.0,199.5,0.5", 199.5)],
)
def test_a_pvgis_hourly_series_on_a_horizontal_plane(
    write: Write, names: str, values: str, dhi: float | None
) -> None:
    series, line = read(write(pvgis_hourly("Slope: 0 deg. \r\n", names, values)))
    assert (series.latitude, series.longitude) == (45.0, 8.0)
    # The values are those at ten minutes past the hour.
    assert (series.start_ms, series.step_ms) == (ms("2016-06-30T23:40"), HOUR_MS)
    assert "UTC, interval middle" in line
    assert series.ghi is not None
    assert series.ghi.tolist() == [500.0] * 24
    assert (None if series.dhi is None else series.dhi.tolist()) == (dhi and [dhi] * 24)
    assert series.temperature_c[:2].tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    ("slope", "said"),
    [
        ("Slope: 35 deg. (optimum)\r\n", "with a slope of 35 degrees"),
        ("Slope: 0.5 deg. \r\n", "with a slope of 0.5 degrees"),
        ("", "whose slope the file does not state"),
    ],
)
def test_irradiance_on_another_plane_is_refused(write: Write, slope: str, said: str) -> None:
    for names, values in (("G(i)", "500.0"), ("Gb(i),Gd(i),Gr(i)", "300.0,199.5,0.5")):
        with pytest.raises(ValueError, match=f"an inclined plane {said}; .* with slope 0"):
            read(write(pvgis_hourly(slope, names, values)))


def test_json_is_refused_as_weather(write: Write) -> None:
    for text in ('{"outputs": {"hourly": []}}', ' [{"time": "2026"}]'):
        with pytest.raises(ValueError, match="is JSON, which is not read as weather"):
            read(write(text, "weather.json"))


def test_a_year_of_two_digits_needs_its_format(write: Write) -> None:
    rows = "".join(f"01/07/26 {hour:02}:00,100,20\n" for hour in range(24))
    path = write("time,ghi,temperature\n" + rows)
    with pytest.raises(ValueError, match=r"line 2: time is '01/07/26 00:00', .* set time_format"):
        read(path, **PLACE)
    series, _ = read(path, time_format="%d/%m/%y %H:%M", **PLACE)
    assert series.start_ms == ms("2026-07-01T00:00")


def test_an_nsrdb_file(write: Write) -> None:
    head = "Source,Location ID,Latitude,Longitude,Time Zone,Elevation,Local Time Zone,,\n"
    head += "NSRDB,7,33.21,-97.1,-6,200,-6,,\nYear,Month,Day,Hour,Minute,GHI,DNI,DHI,Temperature\n"
    rows = [f"2026,7,1,{n // 2},{n % 2 * 30},100,50,60,{n}" for n in range(48)]
    series, _ = read(write(head + "\n".join(rows)))
    assert (series.latitude, series.longitude, series.offset_ms) == (33.21, -97.1, -6 * HOUR_MS)
    assert (series.start_ms, series.step_ms) == (ms("2026-07-01T06:00"), HOUR_MS // 2)
    series, _ = read(write(head + "\n".join(rows)), stamp="middle")
    assert series.start_ms == ms("2026-07-01T05:45")


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
