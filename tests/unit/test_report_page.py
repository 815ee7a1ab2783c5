"""`gridsim report -o`: one page with the pictures of a run and the tables behind them."""

from __future__ import annotations

import base64
import csv
import io
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gridsim.cli import app
from gridsim.ledger import Reader
from gridsim.report import write_report
from gridsim.report.bins import Bins
from gridsim.report.page import Download, document, figure, key, strips_of, table
from gridsim.report.svg import Chart, strip, ticks, time_ticks
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run

HOSTILE = '"><script>alert(1)</script>&'
CONFIG = """
[simulation]
speed = 0
tick_s = 10
start = 2026-07-24T18:00:00Z
[site]
timezone = "America/Moncton"
[ledger]
path = "{folder}/ledger.sqlite"
[[projects]]
id = "HOME_{{n}}"
count = 3
contract_threshold = 2.0
baseline = 3.0
load = {{ type = "constant", kw = 3.0 }}
[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
losses = "ideal"
strategy = "idle"
nameplate_capacity = 5.0
energy_capacity_kwh = 40.0
initial_soc = 90
[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = 4.0
[[events]]
id = "noon"
start = 2026-07-24T18:10:00Z
duration_s = 1200
[[faults]]
id = "flip"
type = "sign_flip"
ders = ["HOME_2_PV"]
after_s = 600
duration_s = 600
[[faults]]
id = "gone"
type = "offline"
readings = "lost"
ders = ["HOME_3_BAT"]
after_s = 300
duration_s = 300
[[transports]]
type = "file"
path = "{folder}/readings.jsonl"
"""


def ledger(folder: Path, *, ticks: int = 360) -> Path:
    path = folder / "homes.toml"
    path.write_text(CONFIG.format(folder=folder.as_posix()), encoding="utf-8")
    with Run(make_plan(Options(path, duration=f"{ticks * 10}s"))) as run:
        run.wait()
    return folder / "ledger.sqlite"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The ledger of an hour, and its page."""
    folder = tmp_path_factory.mktemp("report")
    made = ledger(folder)
    write_report(made, folder / "report.html")
    return made, (folder / "report.html").read_text(encoding="utf-8")


def saved(text: str, name: str) -> list[dict[str, str]]:
    """Return the table that a link of the page saves."""
    found = re.search(f'download="{name}" href="data:text/csv;base64,([^"]+)"', text)
    assert found is not None, name
    return [*csv.DictReader(io.StringIO(base64.b64decode(found[1]).decode()))]


def test_the_fleet_is_the_sum_of_true_readings(page: tuple[Path, str]) -> None:
    made, text = page
    rows = saved(text, "fleet.csv")
    assert len(rows) == 360
    assert rows[0]["time"] == "2026-07-24T18:00:00.000Z"
    with Reader(made) as reader:
        [window] = reader.windows()
        unsent = reader.unsent()
    tick, device = (np.concatenate([getattr(o, n) for o in (window, unsent)])
                    for n in ("tick", "device"))  # fmt: skip
    output = np.concatenate([window.output, unsent.output])
    for number, row in enumerate(rows):
        here = tick == number
        for kind, odd in (("battery_storage", 0), ("solar", 1)):
            total = output[here & (device % 2 == odd)].sum() / 100
            assert float(row[f"{kind} kW"]) == pytest.approx(total, abs=1e-4)
        assert float(row["load kW"]) == 9.0
        out = float(row["battery_storage kW"]) + float(row["solar kW"])
        assert float(row["net consumption kW"]) == pytest.approx(9.0 - out, abs=2e-4)


def test_an_event_has_its_target_its_reduction_and_its_violations(page: tuple[Path, str]) -> None:
    made, text = page
    rows = saved(text, "event-noon.csv")
    step_h = 10 / 3600
    called = [row for row in rows if float(row["target kW"])]
    assert [called[0]["time"], called[-1]["time"]] == [
        "2026-07-24T18:10:00.000Z",
        "2026-07-24T18:29:50.000Z",
    ]
    assert {row["target kW"] for row in called} == {"6"}
    with Reader(made) as reader:
        settled = sum(one.delivered_kwh for one in reader.settlements())
    drawn = sum(float(row["delivered kW"]) for row in called) * step_h
    assert drawn == pytest.approx(settled, abs=1e-3)
    assert rows[0]["time"] == "2026-07-24T18:06:40.000Z"
    assert "of 2.00 kWh delivered" in text  # 3 homes, 2 kW, a third of an hour


def test_truth_and_reported_part_where_a_fault_is(page: tuple[Path, str]) -> None:
    _, text = page
    rows = saved(text, "reported.csv")
    flipped = {n for n, row in enumerate(rows) if row["true kW"] != row["reported kW"]}
    assert set(range(60, 120)) <= flipped
    assert not flipped & set(range(120, 360))
    faults = saved(text, "faults.csv")
    assert [n for n, row in enumerate(faults) if row["flip devices"] == "1"] == [*range(60, 120)]
    assert [n for n, row in enumerate(faults) if row["gone devices"] == "1"] == [*range(30, 60)]


def test_a_transport_has_its_account(page: tuple[Path, str]) -> None:
    _, text = page
    rows = saved(text, "transports.csv")
    assert sum(int(row["file delivered"]) for row in rows) == 360 * 6 - 30
    assert "<td class=n>2,130</td><td class=n>2,130</td>" in text


def test_the_page_needs_no_network_and_no_script(page: tuple[Path, str]) -> None:
    _, text = page
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!data:text/csv;base64,)', text)
    assert not re.search(r"url\(|@import|https?:", text)
    assert "default-src 'none'" in text
    assert "times of America/Moncton" in text
    assert "2026-07-24 15:00:00-03:00 to 2026-07-24 16:00:00-03:00" in text


def test_names_cannot_act_on_the_page() -> None:
    chart = Chart(0, 1000, 0.0, 1.0, "UTC")
    chart.band(0, 500, HOSTILE)
    texts = (
        chart.svg(HOSTILE),
        strip(np.ones(3), "fault", HOSTILE),
        table((HOSTILE,), [(HOSTILE,)]),
        key([("line net", HOSTILE)]),
        strips_of([(HOSTILE, HOSTILE, "")]),
        figure("", HOSTILE, Download(HOSTILE, (), ())),
        document(HOSTILE, []),
    )
    assert all("<script" not in text and "&lt;script" in text for text in texts)


def test_a_saved_table_has_no_formulas() -> None:
    link = Download("t.csv", ["id", "kW"], [("=1+1", 1.25), ("@x", float("nan"))]).html()
    assert saved(link, "t.csv") == [{"id": "'=1+1", "kW": "1.25"}, {"id": "'@x", "kW": ""}]


def test_a_run_without_events_and_faults_says_so(tmp_path: Path) -> None:
    made = ledger(tmp_path, ticks=1)
    write_report(made, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No demand-response event has ended in this run." in text
    assert "No fault has affected a device in this run." in text
    assert len(saved(text, "fleet.csv")) == 1


def test_a_page_never_replaces_a_ledger(
    page: tuple[Path, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made, _ = page
    before = made.read_bytes()
    for target, reason in ((made, "this is a ledger"), (tmp_path / "no/r.html", "No such file")):
        with pytest.raises(SystemExit) as ended:
            app(["report", str(made), "-o", str(target)])
        assert ended.value.code == 2
        assert reason in capfd.readouterr().err
    assert made.read_bytes() == before


@pytest.mark.parametrize(
    ("span_s", "tick_s", "step_s", "count"),
    [
        (0, 1, 1, 1),
        (480, 1, 1, 480),
        (481, 1, 2, 241),
        (86_400, 5, 300, 288),
        (100, 7, 7, 15),
        (86_400 * 365, 60, 86_400, 365),
    ],
)
def test_intervals_hold_whole_ticks(span_s: int, tick_s: int, step_s: int, count: int) -> None:
    bins = Bins.over(1000, 1000 + span_s * 1000, tick_s * 1000, 480)
    assert (bins.step_ms, bins.count) == (step_s * 1000, count)
    index, there = bins.index(np.array([999, 1000, bins.end_ms - 1, bins.end_ms]))
    assert there.tolist() == [False, True, True, False]
    assert index[1:3].tolist() == [0, count - 1]


def test_axes_have_round_values() -> None:
    assert ticks(0.0, 5.0) == [0, 1, 2, 3, 4, 5]
    assert ticks(-0.3, 0.9) == [0.0, 0.5]
    assert ticks(-120.0, 80.0) == [-100.0, -50.0, 0.0, 50.0]
    zone = ZoneInfo("America/Moncton")
    start = 1_784_052_000_000  # 2026-07-14T15:00:00-03:00
    found = [*time_ticks(start, start + 3_600_000, zone)]
    assert [text for _, text in found][:3] == ["14 Jul 15:00", "15:10", "15:20"]
    assert len(found) == 7


def test_a_chart_without_values_is_empty_and_valid() -> None:
    chart = Chart(0, 0, 0.0, 0.0, "UTC")
    chart.line(np.array([0]), np.array([np.nan]), "net")
    assert chart.svg("none").startswith("<svg ")
