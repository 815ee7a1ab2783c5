"""The load from a file: points joined, repeated, by the right clock; errors name the line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loguru import logger

from gridsim.testing import LoadContract, make_members, make_sites
from gridsim_plugins.loads.profile import ProfileLoad, ProfileSettings

DAY = "time,kw\n00:00,1.0\n06:00,2.0\n18:00,5.0\n"


def written(folder: Path, text: str) -> str:
    path = folder / "load.csv"
    path.write_text(text)
    return str(path)


def power(path: str, when: str, zone: str = "UTC", **settings: Any) -> float:
    entry = {"path": path, **settings}
    members = make_members(ProfileSettings, [entry], sites=make_sites(1, timezone=zone))
    time = datetime.fromisoformat(when).replace(tzinfo=UTC)
    return float(ProfileLoad(members).expected(round(time.timestamp() * 1000))[0])


def test_times_of_day_repeat_by_the_sites_clock(tmp_path: Path) -> None:
    path = written(tmp_path, DAY)
    assert power(path, "2026-07-01T06:00") == 2.0
    assert power(path, "2026-07-01T12:00") == 3.5
    assert power(path, "2026-07-01T21:00") == 3.0  # on the way back to midnight
    assert power(path, "2027-01-01T03:00") == 1.5
    assert power(path, "2026-07-01T09:00", "America/Moncton") == 2.0
    assert power(path, "2026-01-01T10:00", "America/Moncton") == 2.0
    assert power(path, "2026-07-01T06:00", scale=2.5) == 5.0


def test_a_dated_load_ends_with_its_file_unless_it_is_a_whole_day_or_week(tmp_path: Path) -> None:
    hours = [f"2026-03-0{1 + h // 24}T{h % 24:02}:00Z,{h}" for h in range(48)]
    path = written(tmp_path, "\n".join(["time,kw", *hours]))
    assert power(path, "2026-03-01T12:30", "Asia/Tokyo") == 12.5
    with pytest.raises(ValueError, match=r"load\.csv.*no load for 2026-03-03"):
        power(path, "2026-03-03T12:30")
    path = written(tmp_path, "\n".join(["time,kw", *hours[:24]]))
    assert power(path, "2027-05-09T12:30") == 12.5
    assert power(path, "2027-05-09T23:30") == 11.5


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("time,kw\n00:00,1\n00:30,-2\n", "line 3: kw is -2"),
        ("time,kw\n00:00,1\n25:00,2\n", "line 3: '25:00'"),
        ("time,kw\n# a note\n02:00,1\n01:00,2\n", "line 4: its time must be later"),
        ("time,kw\n00:00,one\n", "line 2: kw is 'one'"),
        ("time,kw\n2026-03-01T00:00Z,1\n2026-03-01T01:00,1\n", "line 3: either all times"),
    ],
)
def test_an_error_names_file_and_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=rf"load\.csv, {problem}"):
        power(written(tmp_path, text), "2026-07-01T06:00")


def test_semicolons_and_other_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "Zeit;Netz;Last\n00:00;0;4\n12:00;0;8\n")
    names = {"time_column": "Zeit", "power_column": "Last"}
    assert power(path, "2026-07-01T06:00", **names) == 6.0
    with pytest.raises(ValueError, match="no column 'kw'; there are: Zeit, Netz, Last"):
        power(path, "2026-07-01T06:00")


class TestProfileContract(LoadContract):
    load = ProfileLoad

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        path = written(tmp_path, DAY)
        self.settings = ({"path": path}, {"path": path, "scale": 0.5})  # type: ignore[misc]


def test_sites_in_different_zones_have_their_own_clocks(tmp_path: Path) -> None:
    path = written(tmp_path, DAY)
    base = make_sites(2)
    sites = type(base)(
        base.ids, base.keys, base.latitude, base.longitude, base.altitude, ["UTC", "Asia/Kathmandu"]
    )
    members = make_members(
        ProfileSettings, [{"path": path}] * 2, ids=base.ids, sites=sites, site=range(2)
    )
    time_ms = round(datetime(2026, 7, 1, 0, 15, tzinfo=UTC).timestamp() * 1000)
    expected = ProfileLoad(members).expected(time_ms)
    np.testing.assert_allclose(expected, [1.0 + 0.25 / 6.0, 2.0])


def mean(path: str, **settings: Any) -> float:
    """The mean over a day in July, from a value each minute."""
    entry = {"path": path, **settings}
    load = ProfileLoad(make_members(ProfileSettings, [entry], sites=make_sites(1)))
    start = round(datetime(2026, 7, 14, tzinfo=UTC).timestamp() * 1000)
    return float(np.mean([load.expected(start + m * 60_000)[0] for m in range(1440)]))


def hours(first: int, last: int, form: str) -> list[str]:
    return [f"{form.format(h)},{1 + h % 24}" for h in range(first, last + 1)]


@pytest.mark.parametrize(
    ("first", "last", "form"),
    [(0, 23, "{}:00"), (0, 23, "{:02}:00"), (1, 24, "{:02}:00"), (0, 24, "{:02}:00:00")],
)
def test_a_day_however_its_hours_are_written(
    tmp_path: Path, first: int, last: int, form: str
) -> None:
    path = written(tmp_path, "\n".join(["time,kw", *hours(first, last, form)]))
    assert power(path, "2026-07-14T00:00") == 1.0
    assert power(path, "2026-07-14T01:30") == 2.5
    assert power(path, "2026-07-14T23:30") == 12.5
    assert mean(path) == pytest.approx(12.5)


def test_a_day_may_end_other_than_it_begins(tmp_path: Path) -> None:
    path = written(tmp_path, "time,kw\n00:00,1\n12:00,1\n24:00,3\n")
    assert power(path, "2026-07-14T23:59:59.999") == pytest.approx(3.0, abs=1e-6)
    assert power(path, "2026-07-14T00:00") == 1.0


def test_means_over_intervals_that_start_or_end_at_the_time(tmp_path: Path) -> None:
    path = written(tmp_path, "\n".join(["time,kw", *hours(0, 23, "{}:00")]))
    assert power(path, "2026-07-14T01:59", stamp="start") == 2.0
    assert power(path, "2026-07-14T02:00", stamp="start") == 3.0
    assert mean(path, stamp="start") == pytest.approx(12.5)
    path = written(tmp_path, "\n".join(["time,kw", *hours(1, 24, "{}:00")]))
    assert power(path, "2026-07-14T00:00", stamp="end") == 2.0
    assert power(path, "2026-07-14T01:00", stamp="end") == 3.0
    assert power(path, "2026-07-14T23:00", stamp="end") == 1.0
    assert mean(path, stamp="end") == pytest.approx(12.5)


def test_energies_per_interval_are_means(tmp_path: Path) -> None:
    rows = [f"{n // 4:02}:{n % 4 * 15:02},0.5" for n in range(96)]
    path = written(tmp_path, "\n".join(["time,Verbrauch (kWh)", *rows]))
    assert power(path, "2026-07-14T12:07", power_column="Verbrauch") == 2.0
    with pytest.raises(ValueError, match="line 3: 1800 s after the row above, not 900 s"):
        power(written(tmp_path, "time,kWh\n0:00,1\n0:30,1\n0:45,1\n1:00,1\n"), "2026-07-14",
              power_column="kWh")  # fmt: skip


def test_units_of_the_load(tmp_path: Path) -> None:
    path = written(tmp_path, "time,P (W)\n0:00,1500\n12:00,1500\n")
    assert power(path, "2026-07-14", power_column="P") == 1.5
    assert power(path, "2026-07-14", power_column="P", power_unit="MW") == 1_500_000.0
    assert power(path, "2026-07-14", power_column="P", power_unit=0.1) == 150.0
    with pytest.raises(ValueError, match="which is not one of power"):
        power(written(tmp_path, "time,P (kVA)\n0:00,1\n"), "2026-07-14", power_column="P")


@pytest.mark.parametrize("units", ["-;W", ";[W]", "HH:MM;W"])
def test_a_row_of_units_under_the_header(tmp_path: Path, units: str) -> None:
    path = written(tmp_path, f"Zeit;Last\n{units}\n0:00;1500\n12:00;1500\n")
    assert power(path, "2026-07-14", time_column="Zeit", power_column="Last") == 1.5


def test_a_clock_that_goes_back_has_a_second_pass(tmp_path: Path) -> None:
    times = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    rows = [f"2026-10-25T{time},{n}" for n, time in enumerate(times)]
    path = written(tmp_path, "\n".join(["time,kw", *rows]))
    for n, utc in enumerate(["23:30", "00:00", "00:30", "01:00", "01:30", "02:00"]):
        day = "24" if n == 0 else "25"
        assert power(path, f"2026-10-{day}T{utc}", "Europe/Berlin") == float(n)
        assert power(path, f"2026-10-{day}T{utc}", timezone="Europe/Berlin") == float(n)
    with pytest.raises(ValueError, match=r"line 5: .* the clock of Asia/Tokyo does not go back"):
        power(path, "2026-10-25T00:00", "Asia/Tokyo")


def test_a_year_repeats_in_other_years(tmp_path: Path) -> None:
    for year, days in ((2025, 365), (2024, 366)):
        start = datetime(year, 1, 1)
        rows = [f"{start + timedelta(hours=h):%Y-%m-%d %H:%M}Z,{h}" for h in range(24 * days)]
        path = written(tmp_path, "\n".join(["time,kw", *rows]))
        assert len(rows) == {365: 8760, 366: 8784}[days]
        assert power(path, f"{year}-12-31T23:00") == 24.0 * days - 1
        assert power(path, "2026-01-02T01:30") == 25.5
        assert power(path, "2028-02-29T12:00") == 24 * 58 + 12
        assert power(path, "2027-03-01T00:00") == 24 * (59 + days - 365)
        own = power(path, "2024-02-29T12:00")
        assert own == (24 * 59 + 12 if days == 366 else 24 * 58 + 12)
        with pytest.raises(ValueError, match="there is no load for 2027"):
            power(path, "2027-01-01T00:00", repeat="none")


def test_gaps_are_refused_or_filled(tmp_path: Path) -> None:
    path = written(tmp_path, "time,kw\n0:00,1\n1:00,NA\n2:00,9999\n3:00,4\n")
    with pytest.raises(ValueError, match=r"load\.csv, line 3: kw is missing in 1 row"):
        power(path, "2026-07-14T01:00")
    with pytest.raises(ValueError, match=r"line 3: kw is missing in 2 rows \(7200 s\)"):
        power(path, "2026-07-14T01:00", missing=[9999])
    assert power(path, "2026-07-14T01:00", missing=[9999], fill_gaps_s=7200) == 2.0


def test_what_was_read_is_logged(tmp_path: Path) -> None:
    log_lines: list[str] = []
    sink = logger.add(lambda line: log_lines.append(line.strip()), format="{message}")
    text = "Zeit;Last [W]\n25.10.2026 00:00;1,5\n25.10.2026 01:00;\n25.10.2026 02:00;2,5\n"
    power(written(tmp_path, text), "2026-10-25T00:30", power_column="Last", fill_gaps_s=3600)
    logger.remove(sink)
    (line,) = log_lines
    assert line.endswith(
        "load.csv: read 3 rows, semicolons, decimal comma, local time of each site, linear "
        "between rows, W, 1 missing value filled"
    )
