"""The layouts of TMY3, Open-Meteo, PVGIS and NSRDB, and what none of them can mean."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from tests.unit.weather_layouts.files import HOUR_MS, PLACE, Write, ms, read

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
