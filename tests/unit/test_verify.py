"""verify finds what a test did behind gridsim's back, and explains what gridsim did itself."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Batch
from gridsim.errors import UsageError
from gridsim.ledger import Ledger
from gridsim.verify import VerifyOptions, verify
from gridsim.verify.differences import KINDS, UNEXPLAINED
from gridsim.verify.report import VerifyReport
from tests.fixtures.ledgers import FAULTS, Kept, keep


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return keep(tmp_path)


@pytest.fixture
def broken(tmp_path: Path) -> Kept:
    return keep(tmp_path, more=FAULTS)


def unexplained(report: VerifyReport) -> dict[str, int]:
    return {
        kind: report.differences.causes[kind][UNEXPLAINED]
        for kind in KINDS
        if report.differences.causes[kind][UNEXPLAINED]
    }


def test_all_as_it_was_sent_passes(kept: Kept) -> None:
    report = kept.compare()
    assert report.passed
    assert (report.expected, report.received) == (240, 240)
    assert all(not report.differences.causes[kind] for kind in KINDS)


def remove(lines: list[bytes]) -> list[bytes]:
    return lines[:100] + lines[101:]


def add(lines: list[bytes]) -> list[bytes]:
    more = json.loads(lines[50]) | {"timestamp": "2026-07-01T18:00:00.000Z"}
    return [*lines, json.dumps(more).encode()]


def change(lines: list[bytes]) -> list[bytes]:
    one = json.loads(lines[60])
    one["current_output"] = round(one["current_output"] + 0.01, 2)
    return [*lines[:60], json.dumps(one).encode(), *lines[61:]]


def swap(lines: list[bytes]) -> list[bytes]:
    return [*lines[:60], lines[66], *lines[61:66], lines[60], *lines[67:]]


def double(lines: list[bytes]) -> list[bytes]:
    return [*lines[:61], lines[60], *lines[61:]]


def cut(lines: list[bytes]) -> list[bytes]:
    return [*lines[:60], lines[60][:90], *lines[61:]]


def rename_project(lines: list[bytes]) -> list[bytes]:
    one = json.loads(lines[60]) | {"project_id": "HOME_9"}
    return [*lines[:60], json.dumps(one).encode(), *lines[61:]]


def strange_device(lines: list[bytes]) -> list[bytes]:
    return [*lines, lines[0].replace(b"HOME_1_BAT", b"HOME_9_BAT")]


@pytest.mark.parametrize(
    ("meddle", "kind"),
    [
        (remove, "missing"),
        (add, "unknown"),
        (change, "altered"),
        (swap, "reordered"),
        (double, "duplicate"),
        (cut, "unreadable"),
        (rename_project, "altered"),
        (strange_device, "unknown"),
    ],
)
@pytest.mark.parametrize("faults", ["", FAULTS], ids=["without faults", "among faults"])
def test_what_was_done_behind_its_back_is_found(
    tmp_path: Path, faults: str, meddle: Callable[[list[bytes]], list[bytes]], kind: str
) -> None:
    # The faults begin to act by chance: the lines that are meddled with are taken from among
    # those that they leave alone.
    kept = keep(
        tmp_path, more=faults.replace("probability", "after_s = 20\nduration_s = 20\nprobability")
    )
    report = kept.compare(meddle(kept.lines))
    found = unexplained(report)
    assert found == {kind: 1}
    assert not report.passed
    assert kept.compare(meddle(kept.lines), tolerate=1).passed


def test_every_fault_is_explained_by_its_id(broken: Kept) -> None:
    report = broken.compare()
    assert report.passed
    causes = report.differences.causes
    assert set(causes["altered"]) == {"upside_down"}
    assert set(causes["unreadable"]) == {"cut"}
    assert all(cause.startswith("twice") for cause in causes["duplicate"])
    assert any("away" in cause for cause in causes["delayed"])
    assert causes["altered"]["upside_down"] == 6


def test_a_reading_that_is_removed_is_missed_whatever_had_struck_it(broken: Kept) -> None:
    torn = [place for place, line in enumerate(broken.lines) if not line.endswith(b"}")]
    assert len(torn) > 1
    for place in (*torn, *range(0, len(broken.lines), 17)):
        lines = broken.lines[:place] + broken.lines[place + 1 :]
        said = unexplained(broken.compare(lines))
        assert said == {"missing": 1}, place


def test_what_was_changed_is_shown_beside_what_was_sent(kept: Kept) -> None:
    one = json.loads(kept.lines[60])
    was, one["current_output"] = one["current_output"], 7.25
    lines = [*kept.lines[:60], json.dumps(one).encode(), *kept.lines[61:]]
    said = "\n".join(kept.compare(lines).lines())
    assert f"current_output 7.25 instead of {was:.2f}" in said


def test_a_back_end_that_throws_away_what_it_cannot_read_is_explained(broken: Kept) -> None:
    def readable(line: bytes) -> bool:
        try:
            json.loads(line)
        except ValueError:
            return False
        return True

    report = broken.compare([line for line in broken.lines if readable(line)])
    assert report.passed
    assert report.differences.causes["missing"]["cut"] > 0
    assert not report.differences.causes["unreadable"]


def drop_tick_ten(ledger: Ledger, batch: Batch) -> None:
    dropped = bool((batch.tick == 10).any())
    fate, reason = ("dropped", "queue full") if dropped else ("delivered", "")
    ledger.fates[0].settled(batch.number, len(batch), fate, reason)  # type: ignore[arg-type]


def test_what_delivery_dropped_is_missing_for_its_reason(tmp_path: Path) -> None:
    kept = keep(tmp_path, offer=drop_tick_ten)
    report = kept.compare([line for line in kept.lines if b":00:10." not in line])
    assert report.passed
    assert report.differences.causes["missing"] == {"dropped: queue full": 6}


def doubt(ledger: Ledger, batch: Batch) -> None:
    ledger.fates[0].again(batch.number, len(batch))
    ledger.fates[0].settled(batch.number, len(batch), "unconfirmed", "")


def test_what_was_sent_again_may_come_twice_or_not_at_all(tmp_path: Path) -> None:
    kept = keep(tmp_path, offer=doubt)
    assert kept.compare([*kept.lines[3:], *kept.lines[6:12]]).passed


def test_a_killed_runs_ledger_says_so_and_explains_what_it_cannot_know(tmp_path: Path) -> None:
    kept = keep(tmp_path, offer=lambda ledger, batch: None, complete=False)
    later = json.loads(kept.lines[-1]) | {"timestamp": "2026-07-01T12:00:40.000Z"}
    report = kept.compare([*kept.lines[:-3], json.dumps(later).encode()])
    assert not report.complete
    assert "INCOMPLETE" in next(report.lines())
    assert report.differences.causes["unknown"] == {"after the ledger's end": 1}
    # What was recorded agrees, but an incomplete ledger proves nothing about the rest.
    assert (report.unexplained, report.outcome, report.passed) == (0, "not proven", False)
    assert list(report.lines())[-1] == ("NOT PROVEN: 0 unexplained; but the ledger is incomplete")


def test_half_of_a_message_is_known_by_what_can_be_read(broken: Kept) -> None:
    """Two devices' messages lose different halves; each is still the one that it was."""
    lines = list(broken.lines)
    report = broken.compare(lines)
    cuts = report.differences.causes["unreadable"]["cut"]
    assert report.differences.by_project["unreadable"].sum() == cuts
    # One more that nobody cut is found among them.
    assert unexplained(broken.compare([*lines, b'{"der_id":"HOME_2_BAT","is_onl'])) == {
        "unreadable": 1
    }


def as_csv(records: list[dict[str, Any]], names: dict[str, str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [names.get(name, name) for name in records[0]])
    writer.writeheader()
    for record in records:
        writer.writerow({names.get(name, name): value for name, value in record.items()})
    return text.getvalue()


def test_csv_with_names_of_ones_own_and_gzip(kept: Kept, tmp_path: Path) -> None:
    records = [json.loads(line) for line in kept.lines]
    for record in records:
        # As databases print them.
        record["timestamp"] = record["timestamp"].replace("T", " ").replace("Z", "+00:00")
        record["current_soc"] = "" if record["current_soc"] == "null" else record["current_soc"]
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(as_csv(records[1:], {"der_id": "device"}).encode()))
    options = VerifyOptions(kept.ledger, (str(path),), fields=("der_id=device",))
    assert unexplained(verify(options, print)) == {"missing": 1}
    with pytest.raises(UsageError, match="there is no column 'der_id'"):
        verify(VerifyOptions(kept.ledger, (str(path),)), print)


def test_only_the_fields_that_a_user_keeps_are_compared(kept: Kept, tmp_path: Path) -> None:
    records = [json.loads(line) for line in kept.lines]
    few = [{k: r[k] for k in ("der_id", "timestamp", "current_output")} for r in records]
    path = tmp_path / "few.csv"
    path.write_text(as_csv(few, {}))
    assert verify(VerifyOptions(kept.ledger, (str(path),)), print).passed


def test_parquet(kept: Kept, tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    records = [json.loads(line) for line in kept.lines]
    for record in records:
        record["current_soc"] = None if record["current_soc"] == "null" else record["current_soc"]
    path = tmp_path / "rows.parquet"
    parquet.write_table(arrow.Table.from_pylist(records[:-2]), path)
    assert unexplained(verify(VerifyOptions(kept.ledger, (str(path),)), print)) == {"missing": 2}


def test_arrays_of_a_project_and_rows_in_another_order(kept: Kept) -> None:
    records = [json.loads(line) for line in kept.lines]
    pairs = [records[i : i + 2] for i in range(0, len(records), 2)]
    arrays = [json.dumps(pair).encode() for pair in pairs]
    assert kept.compare(arrays).passed
    by_device = sorted(kept.lines, reverse=True)
    assert not kept.compare(by_device).passed
    assert kept.compare(by_device, unordered=True).passed


def test_when_a_reading_was_received_gives_its_delay(kept: Kept) -> None:
    import sqlite3

    connection = sqlite3.connect(kept.ledger)
    offers = dict(connection.execute("SELECT tick, wall_ms FROM offers"))
    connection.close()
    lines = []
    for row, line in enumerate(kept.lines):
        record = json.loads(line) | {"at": (offers[row // 6] + 250) / 1000}
        lines.append(json.dumps(record).encode())
    late = kept.compare(lines, received_at="at").late
    assert late is not None
    assert late.p50_s == pytest.approx(0.25, abs=0.002)
    assert late.readings == 240


def test_bad_input_is_named(kept: Kept, tmp_path: Path) -> None:
    for options, message in (
        (VerifyOptions(kept.ledger), "give files"),
        (VerifyOptions(kept.ledger, (str(tmp_path / "no.csv"),)), "cannot be read"),
        (VerifyOptions(kept.ledger, ("-",), fields=("der=x",)), "did you mean 'der_id'"),
        (VerifyOptions(kept.ledger, ("-",), transport="mqtt"), "no transport 'mqtt'"),
        (VerifyOptions(kept.ledger, ("-",), tolerate=-1), "--tolerate"),
    ):
        with pytest.raises(UsageError, match=message):
            verify(options, print)


@pytest.mark.parametrize(
    "odd",
    [
        {"current_output": 10**400},
        {"current_soc": -(10**400)},
        {"contract_threshold": 10**400},
        {"timestamp": "1" * 30},
        {"der_id": ["HOME_1_BAT"]},
    ],
)
def test_absurd_values_are_differences_like_others(kept: Kept, odd: dict[str, Any]) -> None:
    lines = [*kept.lines[:60], json.dumps(json.loads(kept.lines[60]) | odd).encode()]
    assert not kept.compare([*lines, *kept.lines[61:]]).passed


def test_an_absurd_seq_is_none(kept: Kept) -> None:
    lines = [json.dumps(json.loads(line) | {"seq": 10**30}).encode() for line in kept.lines]
    assert kept.compare(lines).passed


@pytest.mark.parametrize("when", [1e300, "1e300", 10**400, "9" * 40], ids=range(4))
def test_an_absurd_time_of_receipt_is_none(kept: Kept, when: object) -> None:
    lines = [json.dumps(json.loads(line) | {"at": when}).encode() for line in kept.lines]
    lines[-1] = json.dumps(json.loads(lines[-1]) | {"at": "2026-07-01T12:01:00Z"}).encode()
    report = kept.compare(lines, received_at="at")
    assert report.passed
    assert report.late is not None
    assert report.late.readings == 1


def test_absurd_values_in_a_csv_are_differences_like_others(kept: Kept, tmp_path: Path) -> None:
    records = [{**json.loads(line), "seq": float(row // 6)} for row, line in enumerate(kept.lines)]
    path = tmp_path / "odd.csv"
    path.write_text(as_csv(records, {}))
    assert verify(VerifyOptions(kept.ledger, (str(path),)), print).passed
    records[60] |= {"seq": "9" * 40, "timestamp": "9" * 40}
    path.write_text(as_csv(records, {}))
    assert not verify(VerifyOptions(kept.ledger, (str(path),)), print).passed


def test_rubbish_leaves_the_terminal_in_peace(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(b"\x1b[2J\x07,device" + b"x" * 5000)
    with pytest.raises(UsageError, match="is not text: byte 5, in line 1, is 0x07"):
        verify(VerifyOptions(kept.ledger, (str(path),)), print)
    path.write_bytes(b"\x1b[2J,device" + b"x" * 5000 + b"\n1,2\n")
    with pytest.raises(UsageError, match="no column 'der_id'") as caught:
        verify(VerifyOptions(kept.ledger, (str(path),)), print)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000
    path.write_text("der_id,timestamp\n")
    with pytest.raises(UsageError, match="column with --received-at NAME"):
        verify(VerifyOptions(kept.ledger, (str(path),), received_at="at"), print)


def test_the_report_can_be_read_by_machines(broken: Kept) -> None:
    report = broken.compare(broken.lines[:-1])
    told = json.loads(json.dumps(report.as_json()))
    assert told["unexplained"] == 1
    assert told["missing"]["by_cause"]["unexplained"] == 1
    assert sum(one.get("expected", 0) for one in told["projects"].values()) == told["expected"]
    assert told["examples"][0]["kind"] == "missing"


@pytest.mark.parametrize("field", ["der_id", "timestamp", "current_output", "seq"])
def test_a_name_that_no_record_has_is_a_mistake(kept: Kept, field: str) -> None:
    with pytest.raises(UsageError, match=f"--field {field}: error: .* 'nix'"):
        kept.compare(fields=(f"{field}=nix",))
    with pytest.raises(UsageError, match=r"--received-at: error: .* 'nix'"):
        kept.compare(received_at="nix")
