"""`gridsim verify --html` and `gridsim report --verify`: the differences as pages."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gridsim.cli import app
from gridsim.errors import UsageError
from gridsim.ledger import Reader
from gridsim.verify.page.result import VerifyResult, verdict_words
from gridsim.verify.page.write import DEVICES, DEVICES_OF_MANY
from gridsim.verify.settlement import SettlementVerdict
from tests.fixtures.ledgers import FAULTS, Kept, keep

HOSTILE = """
[[projects]]
id = "<script>alert(1)<script>&\\"'"
[[projects.ders]]
id = "<img src=x onerror=alert(2)>"
type = "solar"
nameplate_capacity = 5.0
[[faults]]
id = "=<b>cmd</b>"
type = "sign_flip"
ders = ["HOME_1_PV"]
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """The ledger of 40 ticks, which no test changes."""
    return keep(tmp_path_factory.mktemp("kept"), more=FAULTS)


def saved(text: str, name: str) -> list[dict[str, str]]:
    """Return the table that a link of the page saves."""
    found = re.search(f'download="{name}" href="data:text/csv;base64,([^"]+)"', text)
    assert found is not None, name
    return [*csv.DictReader(io.StringIO(base64.b64decode(found[1]).decode()))]


def tampered(kept: Kept) -> list[bytes]:
    """Change one value of a device and remove one of its readings."""
    lines = []
    for line in kept.lines:
        try:
            record = json.loads(line)
        except ValueError:
            record = {}
        at = (record.get("der_id"), record.get("timestamp", "")[17:19])
        if at == ("HOME_3_BAT", "20"):
            record["current_output"] = 4.44
            line = json.dumps(record).encode()
        if at != ("HOME_3_BAT", "31"):
            lines.append(line)
    return lines


def page(kept: Kept, lines: list[bytes], folder: Path, **options: Any) -> str:
    path = folder / "page.html"
    kept.compare(lines, html=path, **options)
    return path.read_text(encoding="utf-8")


def test_a_device_has_its_true_reported_and_held_values(kept: Kept, tmp_path: Path) -> None:
    text = page(kept, tampered(kept), tmp_path)
    assert re.search(r'<h1 class="bad">FAIL: 2 of \d+ differences are unexplained</h1>', text)
    names = re.findall(r"<h3>(HOME_\d_\w+)</h3>", text)
    assert names[0] == "HOME_3_BAT"
    rows = saved(text, "device-1-HOME_3_BAT-current_output.csv")
    with Reader(kept.ledger) as reader:
        [window] = reader.windows()
        [(device,)] = reader.rows("SELECT device FROM devices WHERE der_id = 'HOME_3_BAT'")
    own = (window.device == device) & ~window.copy
    true = [value / 100 for value in window.output[own].tolist()]
    assert [float(row["true kW"]) for row in rows] == true
    assert [float(row["reported kW"]) for row in rows] == true
    held = {row["time"][17:19]: row["held kW"] for row in rows}
    assert (held["20"], held["31"]) == ("4.44", "")
    # A message that a fault cut off has no value that can be read.
    kept_values = {s: float(v) for s, v in held.items() if s not in ("20", "31") and v}
    assert len(kept_values) > 30
    assert {s: v for s, v in kept_values.items() if v != true[int(s)]} == {}
    flipped = next(n for n in range(2, 9) if names[n - 1] == "HOME_2_PV")
    rows = saved(text, f"device-{flipped}-HOME_2_PV-current_output.csv")
    other = [row for row in rows if row["true kW"] != row["reported kW"]]
    assert len(other) == 6
    assert all(row["held kW"] in ("", row["reported kW"]) for row in other)
    assert any(row["held kW"] for row in other)
    assert all(float(row["true kW"]) == -float(row["reported kW"]) for row in other)


def test_the_tables_have_every_difference_with_its_cause(kept: Kept, tmp_path: Path) -> None:
    report = kept.compare(tampered(kept), html=tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    found = report.as_json()
    causes = {(row["difference"], row["cause"]): int(row["readings"])
              for row in saved(text, "differences-by-cause.csv")}  # fmt: skip
    rows = saved(text, "differences.csv")
    assert [row["cause"] for row in rows[:3]].count("unexplained") == 2
    for kind in ("missing", "duplicate", "altered", "unreadable", "delayed"):
        assert found[kind]["total"] > 0
        for cause, count in found[kind]["by_cause"].items():
            assert causes[kind, cause] == count
            assert [(r["difference"], r["cause"]) for r in rows].count((kind, cause)) == count
    by_time = saved(text, "differences-by-time.csv")
    assert [row["time"][17:19] for row in by_time if row["altered, unexplained"] == "1"] == ["20"]
    projects = {row["project"]: row for row in saved(text, "differences-by-project.csv")}
    assert projects["HOME_3"]["unexplained"] == "2"
    assert "instead of" in saved(text, "unexplained.csv")[-1]["detail"]


def test_the_page_needs_no_network_and_names_cannot_act_on_it(tmp_path: Path) -> None:
    kept = keep(tmp_path, more=HOSTILE, ticks=5)
    lines = []
    for line in kept.lines:
        record = json.loads(line)
        if record["der_id"].startswith("<img"):
            record |= {"current_output": "<script>alert(3)</script>", "type": "<i>&"}
        lines.append(json.dumps(record).encode())
    report = kept.compare(lines, html=tmp_path / "page.html")
    (tmp_path / "v.json").write_text(json.dumps(report.as_json()))
    app_exit(["report", str(kept.ledger), "--verify", str(tmp_path / "v.json"), "-o",
              str(tmp_path / "report.html")])  # fmt: skip
    for name in ("page.html", "report.html"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert not re.search(r"<(script|img|i>|b>cmd)", text)
        assert "&lt;img src=x onerror=alert(2)&gt;" in text
        assert "&lt;script&gt;alert(3)&lt;/script&gt;" in text
        assert not re.search(r'(?:src|href)="(?!data:text/csv;base64,)', text)
        assert not re.search(r"url\(|@import|https?:", text)
        assert "default-src 'none'" in text
    rows = saved((tmp_path / "page.html").read_text(encoding="utf-8"), "differences-by-cause.csv")
    assert "'=<b>cmd</b>" in {row["cause"] for row in rows}


def test_only_the_worst_devices_have_pictures(tmp_path: Path) -> None:
    more = FAULTS.replace("HOME_1_*", "HOME_*")
    kept = keep(tmp_path, more=more, ticks=12, overrides=("projects.0.count=20",))
    text = page(kept, kept.lines[1:], tmp_path)
    # All 40 devices differ: a few pictures say as much as 16.
    assert DEVICES_OF_MANY < DEVICES
    assert len(re.findall(r"<h3>HOME_\d+_\w+</h3>", text)) == DEVICES_OF_MANY
    assert text.index("<h3>HOME_1_BAT</h3>") < text.index("<h3>HOME_2_PV</h3>")
    assert f"{40 - DEVICES_OF_MANY} more devices have differences and are left out." in text
    assert len(saved(text, "devices.csv")) == 40
    assert "10 more projects with differences." in text


def test_times_that_a_system_shifts_are_drawn_where_it_has_them(tmp_path: Path) -> None:
    kept = keep(tmp_path, ticks=10)
    lines = [line.replace(b'"2026-07-01T12:', b'"2026-07-01T14:', 1) for line in kept.lines]
    text = page(kept, lines, tmp_path)
    rows = saved(text, "device-1-HOME_1_BAT-current_output.csv")
    assert {row["time"][11:13] for row in rows if row["held kW"]} == {"14"}
    assert {row["time"][11:13] for row in rows if row["true kW"]} == {"12"}
    assert "are 2 h late" in text


@pytest.mark.parametrize("form", ["csv", "gz", "few fields"])
def test_every_form_of_data_has_a_page(tmp_path: Path, form: str) -> None:
    kept = keep(tmp_path, ticks=3)
    records = [json.loads(line) for line in kept.lines]
    if form == "csv":
        path, text = tmp_path / "held.csv", io.StringIO()
        writer = csv.DictWriter(text, records[0])
        writer.writeheader()
        writer.writerows(records[1:])
        path.write_text(text.getvalue())
    elif form == "gz":
        path = tmp_path / "held.jsonl.gz"
        path.write_bytes(gzip.compress(b"\n".join(kept.lines[1:])))
    else:
        path = tmp_path / "held.jsonl"
        few = [{n: r[n] for n in ("der_id", "timestamp", "current_soc")} for r in records[1:]]
        path.write_text("\n".join(map(json.dumps, few)))
    report = kept.compare_file(path, html=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert (report.unexplained, report.differences.total("missing")) == (1, 1)
    assert "FAIL: 1 of 1 differences is unexplained" in page
    assert ("Your data has no current_output" in page) == (form == "few fields")


def test_an_empty_run_and_settlements_alone_have_a_page(tmp_path: Path) -> None:
    kept = keep(tmp_path, ticks=0)
    (tmp_path / "s.csv").write_text("event,project_id,reduction_kwh\npeak,HOME_1,1.0\n")
    (tmp_path / "none.jsonl").write_text("")
    both = {"html": tmp_path / "page.html", "expect": tmp_path / "s.csv"}
    kept.compare_file(tmp_path / "none.jsonl", **both)
    text = both["html"].read_text(encoding="utf-8")
    assert "FAIL: 1 settlement differs" in text
    assert "peak HOME_1: there is no such settlement in the ledger" in text
    assert app_exit(["verify", str(kept.ledger), "--expect", str(both["expect"]), "--html",
                     str(both["html"])]) == 4  # fmt: skip
    assert "no readings were given" in both["html"].read_text(encoding="utf-8")


def app_exit(words: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        app(words)
    return int(str(ended.value.code or 0))


def test_the_exit_status_is_that_of_the_comparison(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "held.jsonl"
    path.write_bytes(b"\n".join(kept.lines) + b"\n")
    assert app_exit(["verify", str(kept.ledger), str(path), "--html", str(tmp_path / "p")]) == 0
    assert "all explained" in (tmp_path / "p").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("no/page.html", "No such file or directory"),
        (".", "this is a folder"),
        ("held.jsonl", "this file is read"),
        ("ledger.sqlite", "this is a ledger"),
        ("/dev/null", "is not a regular file"),
    ],
)
def test_a_page_that_cannot_be_written_is_an_error_before_the_data_is_read(
    tmp_path: Path, target: str, reason: str
) -> None:
    kept = keep(tmp_path, ticks=1)
    (tmp_path / "held.jsonl").write_text("not read")
    before = sorted((one.name, one.stat().st_size) for one in tmp_path.iterdir())
    with pytest.raises(UsageError, match=reason):
        kept.compare_file(tmp_path / "held.jsonl", html=tmp_path / target)
    assert sorted((one.name, one.stat().st_size) for one in tmp_path.iterdir()) == before


def test_the_report_page_shows_what_verify_found(
    kept: Kept, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found, target = tmp_path / "v.json", tmp_path / "report.html"
    words = ["report", str(kept.ledger), "--verify", str(found)]
    result = kept.compare(tampered(kept)).as_json()
    found.write_text(json.dumps(result))
    assert app_exit([*words, "-o", str(target)]) == 0
    text = target.read_text(encoding="utf-8")
    assert re.search(r'<h3 class="bad">FAIL: 2 of \d+ differences are unexplained</h3>', text)
    assert {row["device"] for row in saved(text, "unexplained.csv")} == {"HOME_3_BAT"}
    assert app_exit(words) == 2
    found.write_text(json.dumps({**result, "run": "other"}))
    assert app_exit([*words, "-o", str(target)]) == 2
    found.write_text("[]")
    assert app_exit([*words, "-o", str(target)]) == 2
    found.unlink()
    assert app_exit([*words, "-o", str(target)]) == 2
    shown = capfd.readouterr().err
    for reason in ("needs -o PATH", "is the result of another run", "is not the JSON of gridsim",
                   "No such file or directory"):  # fmt: skip
        assert reason in shown
    assert app_exit(["report", str(kept.ledger), "-o", str(target)]) == 0
    assert "gridsim verify" in target.read_text(encoding="utf-8")


def test_the_verdict_is_said_in_words(kept: Kept) -> None:
    def words(**changed: Any) -> str:
        return verdict_words(msgspec.structs.replace(result, **changed))

    report = kept.compare(tampered(kept))
    result = msgspec.convert(report.as_json(), VerifyResult)
    total = result.differences
    none = {kind: msgspec.structs.replace(count, total=0) for kind, count in result.kinds.items()}
    wrong = SettlementVerdict(2, ("a", "b"))
    assert words() == f"FAIL: 2 of {total} differences are unexplained"
    assert words(unexplained=1) == f"FAIL: 1 of {total} differences is unexplained"
    assert words(settlements=wrong) == f"{words()}, and 2 settlements differ"
    passed: dict[str, Any] = {"outcome": "passed", "unexplained": 0}
    assert words(**passed) == f"PASS: {total} differences, all explained"
    assert words(**passed, **none) == "PASS: no difference"
    assert words(outcome="passed", tolerate=2) == (
        f"PASS: 2 of {total} differences are unexplained, which are tolerated"
    )
    doubt = {"outcome": "not proven", "unexplained": 0, "doubts": ["the ledger is incomplete"]}
    assert words(**doubt, **none) == "NOT PROVEN: no difference, but the ledger is incomplete"
