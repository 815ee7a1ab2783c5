"""verify never passes what it cannot read, and names what it did not compare."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gridsim.errors import UsageError
from gridsim.ledger import Ledger
from gridsim.verify import VerifyOptions, VerifyReport, verify
from tests.fixtures.ledgers import Kept, deliver, keep

READINGS = 240
VALUES = (
    "is_online", "current_output", "power_meter_measurement", "baseline", "contract_threshold",
    "units", "project_id", "is_standalone", "connection_start_at", "current_soc", "type",
    "nameplate_capacity",
)  # fmt: skip
NUMBERS = (
    "current_output", "power_meter_measurement", "baseline", "contract_threshold", "current_soc",
    "nameplate_capacity",
)  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep(tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def records(kept: Kept) -> list[dict[str, Any]]:
    return [json.loads(line) for line in kept.lines]


def judge(kept: Kept, path: Path, **options: object) -> VerifyReport:
    return verify(VerifyOptions(kept.ledger, (str(path),), **options), print)  # type: ignore[arg-type]


def as_csv(path: Path, records: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    return path


def as_json(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def without(records: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != name} for record in records]


GARBAGE = ["999 kW", "999,99", "garbage", "#REF!", "1e999", "1_0", "--"]
OF_ANOTHER_TYPE = ["", None, "garbage", "45.67", {"a": 1}, [1.0], True]


def each_number(values: Sequence[object]) -> list[tuple[str, object]]:
    """All values for two of the numbers, and two for each of the others, which are read alike."""
    full = ("current_output", "current_soc")
    return [(name, one) for name in NUMBERS for one in (values if name in full else values[1:3])]


@pytest.mark.parametrize(("name", "garbage"), each_number(GARBAGE))
def test_a_column_of_garbage_fails(
    kept: Kept, records: list[dict[str, Any]], tmp_path: Path, name: str, garbage: str
) -> None:
    report = judge(kept, as_csv(tmp_path / "a.csv", [{**r, name: garbage} for r in records]))
    assert report.unexplained == READINGS
    assert report.outcome == "failed"
    [found] = report.unreadable_fields
    assert (found.field, found.unreadable, found.rows) == (name, READINGS, READINGS)
    advice = {
        "999,99": " (with a decimal comma, but the table has a decimal point: give --decimal)",
        "1e999": " (which is too large)",
    }.get(garbage, "")
    assert str(found) == (
        f"{name} cannot be read in all 240 records, for example in line 2: '{garbage}'{advice}"
    )
    assert not report.not_compared


@pytest.mark.parametrize(("name", "garbage"), each_number(OF_ANOTHER_TYPE))
def test_json_of_another_type_fails(
    kept: Kept, records: list[dict[str, Any]], tmp_path: Path, name: str, garbage: object
) -> None:
    report = judge(kept, as_json(tmp_path / "a.jsonl", [{**r, name: garbage} for r in records]))
    assert report.outcome == "failed"
    if name == "current_soc" and garbage is None:
        # No storage has no state of charge: null is right for solar arrays and wrong elsewhere.
        assert report.differences.total("altered") == READINGS // 2
    else:
        assert [(one.field, one.unreadable) for one in report.unreadable_fields] == [(name, 240)]


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("how", ["csv", "json"])
def test_a_single_unreadable_value_is_a_difference(
    kept: Kept, records: list[dict[str, Any]], tmp_path: Path, name: str, how: str
) -> None:
    odd = [*records[:60], {**records[60], name: "#N/A"}, *records[61:]]
    write = as_csv if how == "csv" else as_json
    report = judge(kept, write(tmp_path / f"a.{how}", odd))
    assert report.unexplained == 1
    assert report.outcome == "failed"
    assert judge(kept, tmp_path / f"a.{how}", tolerate=1).outcome == "passed"


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("how", ["csv", "json"])
def test_an_empty_column_fails_and_an_absent_one_is_named(
    kept: Kept, records: list[dict[str, Any]], tmp_path: Path, name: str, how: str
) -> None:
    write = as_csv if how == "csv" else as_json
    empty = judge(kept, write(tmp_path / f"empty.{how}", [{**r, name: ""} for r in records]))
    assert empty.outcome == "failed"
    absent = judge(kept, write(tmp_path / f"absent.{how}", without(records, name)))
    assert absent.outcome == "passed"
    assert absent.not_compared == [name]
    assert f"not compared, because your data does not have them: {name}" in list(absent.lines())


def test_a_field_that_some_records_lack_is_missed(
    kept: Kept, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    mixed = [*records[:1], *without(records[1:], "current_output")]
    report = judge(kept, as_json(tmp_path / "a.jsonl", mixed))
    assert report.unexplained == READINGS - 1
    assert "current_output is missing or cannot be read in 239 of 240 records" in str(
        report.unreadable_fields[0]
    )


def test_a_column_under_another_name_is_suggested(
    kept: Kept, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    renamed = [{**r, "currentOutput": r["current_output"]} for r in records]
    path = as_csv(tmp_path / "a.csv", without(renamed, "current_output"))
    report = judge(kept, path)
    assert report.not_compared == [
        "current_output (is it 'currentOutput'? --field current_output=currentOutput)"
    ]
    named = judge(kept, path, fields=("current_output=currentOutput",))
    assert (named.outcome, list(named.not_compared)) == ("passed", [])


def test_a_column_that_is_there_twice_is_refused(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("der_id,timestamp,baseline,baseline\n")
    with pytest.raises(UsageError, match="line 1: there is more than one column 'baseline'"):
        judge(kept, path)


def test_records_without_an_identity_are_refused(kept: Kept, tmp_path: Path) -> None:
    path = as_json(tmp_path / "a.jsonl", [{"deviceId": "A", "ts": 1}])
    with pytest.raises(UsageError, match=r"no record has the field 'der_id'; .* deviceId, ts\."):
        judge(kept, path)


def test_only_identities_prove_only_the_arrival(
    kept: Kept, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    few = [{name: r[name] for name in ("der_id", "timestamp")} for r in records]
    path = as_csv(tmp_path / "a.csv", few)
    report = judge(kept, path)
    assert (report.unexplained, report.outcome) == (0, "not proven")
    assert "--arrival-only" in list(report.lines())[-1]
    assert judge(kept, path, arrival_only=True).outcome == "passed"
    as_csv(path, few[1:])
    assert judge(kept, path, arrival_only=True).outcome == "failed"


def test_units_and_types_that_differ_are_shown(
    kept: Kept, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    report = judge(kept, as_csv(tmp_path / "a.csv", [{**r, "units": "W"} for r in records]))
    assert report.differences.total("altered") == READINGS
    assert report.differences.examples[0].detail == "units 'W' instead of 'kW'"


@pytest.mark.parametrize("absence", ["null", None, "", "NaN", "omitted"])
def test_no_storage_has_several_forms(
    kept: Kept, records: list[dict[str, Any]], tmp_path: Path, absence: object
) -> None:
    changed = [{**r, "current_soc": absence} if r["current_soc"] == "null" else r for r in records]
    if absence in ("", "NaN"):  # as exports of tables write it
        report = judge(kept, as_csv(tmp_path / "a.csv", changed))
    else:
        changed = [
            {k: v for k, v in r.items() if (k, v) != ("current_soc", "omitted")} for r in changed
        ]
        report = judge(kept, as_json(tmp_path / "a.jsonl", changed))
    assert report.outcome == "passed"


def test_zero_means_no_storage_only_if_the_format_says_so(tmp_path: Path) -> None:
    zero = keep(
        tmp_path,
        overrides=('transports=[{type="stdout",format={type="json",missing_soc="zero"}}]',),
    )
    assert b'"current_soc":0.0' in zero.lines[1]
    assert zero.compare().outcome == "passed"


def test_numbers_as_text_are_accepted_on_request(
    kept: Kept, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    texts = [
        {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in r.items()}
        for r in records
    ]
    path = as_json(tmp_path / "a.jsonl", texts)
    assert judge(kept, path).outcome == "failed"
    assert judge(kept, path, loose=True).outcome == "passed"


@pytest.mark.parametrize(("yes", "no"), [("t", "f"), ("Yes", "No"), ("1", "0"), ("TRUE", "FALSE")])
def test_booleans_as_databases_write_them(
    kept: Kept, records: list[dict[str, Any]], tmp_path: Path, yes: str, no: str
) -> None:
    def written(on: str) -> list[dict[str, Any]]:
        return [{**r, "is_online": on, "is_standalone": no} for r in records]

    assert judge(kept, as_csv(tmp_path / "a.csv", written(yes))).outcome == "passed"
    assert judge(kept, as_csv(tmp_path / "a.csv", written(no))).unexplained == READINGS


def test_nothing_expected_or_received_is_no_success(kept: Kept, tmp_path: Path) -> None:
    empty = keep(tmp_path, ticks=0)
    report = empty.compare([b""])
    assert (report.expected, report.unexplained, report.outcome) == (0, 0, "not proven")
    assert "the ledger has no readings" in list(report.lines())[-1]


def drop(ledger: Ledger, batch: Any) -> None:
    ledger.fates[0].settled(batch.number, len(batch), "dropped", "queue full")


def test_explained_losses_of_everything_are_no_success(tmp_path: Path) -> None:
    lost = keep(tmp_path, offer=drop)
    report = lost.compare([b""])
    assert (report.expected, report.unexplained, report.compared) == (240, 0, 0)
    assert report.outcome == "not proven"


def test_a_difference_outweighs_an_incomplete_ledger(tmp_path: Path) -> None:
    killed = keep(tmp_path, offer=deliver, complete=False)
    assert killed.compare().outcome == "not proven"
    assert killed.compare(killed.lines[1:]).outcome == "failed"
