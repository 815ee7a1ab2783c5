"""The load from a file: points joined, repeated, by the right clock; errors name the line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
