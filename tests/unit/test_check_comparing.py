"""The comparison of a system's exports with a day: figures, promises and their limits."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gridsim.check import CheckOptions, check
from gridsim.check.comparing import Assessment, Exported, assess
from gridsim.check.settings import Promises, SystemSettings
from gridsim.errors import UsageError
from gridsim.text.progress import Progress

DAY = """
[simulation]
tick_s = 60
speed = 0
duration_s = 1800
start = 2026-07-14T17:00:00-03:00

[site]
timezone = "America/Moncton"

[[projects]]
id = "HOME_{n}"
count = 2
contract_threshold = 1.0
load = { type = "constant", kw = 3.0 }

[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 13.5
initial_soc = 80

[[events]]
id = "peak"
start = 2026-07-14T17:05:00-03:00
duration_s = 600

[[faults]]
type = "duplicate"
probability = 0.1
"""
SYSTEM = """
[system]
days = ["calm.toml"]
export_command = 'cp wire.jsonl "$GRIDSIM_RECORDS"'

[system.broker]
type = "file"
path = "wire.jsonl"

[promises]
duplicates = "any"
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a day whose readings were exported as they were sent."""
    folder = tmp_path_factory.mktemp("check")
    (folder / "calm.toml").write_text(DAY)
    (folder / "system.toml").write_text(SYSTEM)
    options = CheckOptions(folder / "system.toml", keep=folder / "kept")
    card = check(options, Progress(), lambda line: None)
    assert [(one.outcome, one.reasons) for one in card.results] == [("kept", ())]
    return folder / "kept" / "calm"


@pytest.fixture(scope="module")
def sent(kept: Path) -> list[dict[str, Any]]:
    """The readings as they were sent, each once."""
    lines = (kept / "records").read_text().splitlines()
    return [json.loads(line) for line in dict.fromkeys(lines)]


@pytest.fixture
def compare(kept: Path, tmp_path: Path) -> Callable[..., Assessment]:
    """Return the assessment of records, or of settlements."""

    def comparing(
        records: list[dict[str, Any]] | str | None = None,
        settlement: str | None = None,
        *,
        promises: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Assessment:
        paths: dict[str, Path | None] = {"records": None, "settlement": None}
        if records is not None:
            paths["records"] = tmp_path / "records"
            text = records
            if not isinstance(text, str):
                text = "".join(json.dumps(one) + "\n" for one in text)
            (tmp_path / "records").write_text(text)
        if settlement is not None:
            paths["settlement"] = tmp_path / "settlement.csv"
            (tmp_path / "settlement.csv").write_text(settlement)
        return assess(
            kept / "ledger.sqlite",
            "file",
            Exported(**paths),
            SystemSettings(**settings),
            Promises(**(promises or {})),
        )

    return comparing


def test_a_fault_that_repeats_messages_counts_as_duplicates(
    compare: Callable[..., Assessment], kept: Path, sent: list[dict[str, Any]]
) -> None:
    wire = (kept / "records").read_text()
    repeats = len(wire.splitlines()) - len(sent)
    assert repeats > 2
    every = compare(wire, promises={"duplicates": repeats})
    assert (every.figures.sent, every.figures.stored, every.figures.lost) == (60, 60, 0)
    assert every.figures.duplicates == repeats
    assert every.broken == ()
    more = compare(wire, promises={"duplicates": repeats - 1})
    assert more.broken == (f"{repeats} readings stored more than once ({repeats - 1:,} allowed)",)
    assert compare(wire, promises={"duplicates": "any"}).broken == ()


def test_each_reading_once_keeps_all_promises(
    compare: Callable[..., Assessment], sent: list[dict[str, Any]]
) -> None:
    found = compare(sent)
    own = found.figures
    assert (found.broken, found.doubts) == ((), ())
    assert (own.sent, own.stored, own.lost, own.duplicates) == (60, 60, 0, 0)
    assert (own.changed, own.unknown, own.true_kwh) == (0, 0, None)


@pytest.mark.parametrize(("limit", "broken"), [(3, ()), (2, ("3 readings lost (2 allowed)",))])
def test_the_limit_itself_of_lost_readings_is_kept(
    compare: Callable[..., Assessment],
    sent: list[dict[str, Any]],
    limit: int,
    broken: tuple[str, ...],
) -> None:
    found = compare(sent[:-3], promises={"lost": limit})
    assert found.broken == broken
    assert (found.figures.sent, found.figures.stored, found.figures.lost) == (60, 57, 3)


def test_a_reading_that_is_there_again_and_one_that_was_never_sent(
    compare: Callable[..., Assessment], sent: list[dict[str, Any]]
) -> None:
    strange = {**sent[0], "der_id": "HOME_9_BAT"}
    found = compare([*sent, sent[5], strange])
    assert found.broken == (
        "1 reading stored more than once (0 allowed)",
        "1 reading stored, but never sent (0 allowed)",
    )
    assert compare([*sent, sent[5], strange], promises={"duplicates": 1, "unknown": 1}).broken == ()


def test_a_difference_that_many_readings_share_is_said_in_words(
    compare: Callable[..., Assessment], sent: list[dict[str, Any]]
) -> None:
    turned = [{**one, "power_meter_measurement": -one["power_meter_measurement"]} for one in sent]
    assert compare(turned).broken == (
        "60 readings changed (0 allowed)",
        "power_meter_measurement: all 60 have the opposite sign",
    )


def test_the_words_of_verify_name_settings_of_the_file(
    compare: Callable[..., Assessment], sent: list[dict[str, Any]]
) -> None:
    late = [{**one, "timestamp": one["timestamp"].replace(":00.000Z", ":00.400Z")} for one in sent]
    [count, why] = compare(late).broken
    assert count == "60 readings changed (0 allowed)"
    assert why == "timestamp: all 60 are 0.4 s late (time_tolerance_s = 0.4 allows it)"
    assert compare(late, time_tolerance_s=0.4).broken == ()
    bare = [{"der_id": one["der_id"], "timestamp": one["timestamp"]} for one in sent]
    assert compare(bare).doubts == (
        "no values were compared, only which readings arrived (to accept that, add arrival_only = "
        "true)",
    )
    assert compare(bare, arrival_only=True).doubts == ()
    renamed = [{"device" if k == "der_id" else k: v for k, v in one.items()} for one in sent]
    with pytest.raises(UsageError, match=r'Name the field with fields = \{ der_id = "NAME" \}'):
        compare(renamed)


def test_a_csv_with_other_names_and_local_times_or_epochs(
    compare: Callable[..., Assessment], sent: list[dict[str, Any]], tmp_path: Path
) -> None:
    def exported(time: Callable[[datetime], str]) -> str:
        path = tmp_path / "other.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerow(["device", "at", "kw"])
            for one in sent:
                at = datetime.fromisoformat(one["timestamp"])
                kw = str(one["current_output"]).replace(".", ",")
                writer.writerow([one["der_id"], time(at), kw])
        return path.read_text()

    fields = {"der_id": "device", "timestamp": "at", "current_output": "kw"}
    zone = "America/Moncton"
    local = exported(lambda at: at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S"))
    assert compare(local, fields=fields, assume_zone=zone).broken == ()
    assert "assume_zone" in " ".join(compare(local, fields=fields).broken)
    epoch = exported(lambda at: str(int(at.astimezone(UTC).timestamp() * 1000)))
    found = compare(epoch, fields=fields)
    assert (found.broken, found.figures.stored) == ((), 60)


HEAD = "event,project_id,reduction_kwh\n"


def settled(kept: Path) -> dict[str, float]:
    """Return the true reduction of each home; the event lasts ten minutes."""
    with closing(sqlite3.connect(kept / "ledger.sqlite")) as ledger:
        rows = ledger.execute(
            "SELECT project_id, delivered_kwh FROM settlements JOIN projects USING (project)"
        )
        return dict(rows)


def test_a_settlement_alone_is_compared_to_its_tolerance_and_no_further(
    compare: Callable[..., Assessment], kept: Path
) -> None:
    truth = settled(kept)
    assert truth.keys() == {"HOME_1", "HOME_2"}

    def claim(more: float) -> str:
        rows = [f"peak,{home},{kwh + more * (home == 'HOME_1')!r}" for home, kwh in truth.items()]
        return HEAD + "\n".join(rows) + "\n"

    exact = compare(None, claim(0.01))
    assert (exact.broken, exact.figures.sent) == ((), None)
    assert exact.figures.mis_settled_kwh == 0.0
    beyond = compare(None, claim(0.25))
    assert beyond.figures.mis_settled_kwh == pytest.approx(0.25)
    assert beyond.figures.settled_kwh == pytest.approx(sum(truth.values()) + 0.25)
    assert beyond.broken[0] == "0.250 kWh settled wrongly in 1 settlement (0 allowed)"
    assert beyond.broken[1].startswith("peak HOME_1: ")
    assert compare(None, claim(0.25), promises={"kwh": 0.25}).broken == ()
    assert len(compare(None, claim(0.25), promises={"kwh": 0.249}).broken) == 2
    assert compare(None, claim(0.25), tolerance_kwh=0.25).broken == ()


def test_a_settlement_that_is_missing_or_of_another_event_breaks_a_promise_of_its_own(
    compare: Callable[..., Assessment], kept: Path
) -> None:
    truth = settled(kept)
    generous = {"kwh": 1e6}
    missing = compare(None, HEAD + f"peak,HOME_1,{truth['HOME_1']!r}\n", promises=generous)
    assert missing.broken == (f"peak HOME_2: is missing; {truth['HOME_2']:.3f} kWh",)
    assert missing.figures.mis_settled_kwh == pytest.approx(truth["HOME_2"])
    rows = [f"peak,{home},{kwh!r}" for home, kwh in truth.items()]
    other = compare(None, HEAD + "\n".join([*rows, "peak,HOME_3,0.0"]) + "\n", promises=generous)
    assert other.broken == ("peak HOME_3: there is no such settlement in the ledger",)


def test_without_a_row_nothing_is_proven(compare: Callable[..., Assessment]) -> None:
    assert compare("[]", promises={"lost": 60}).doubts == ("no reading was compared",)
    with pytest.raises(UsageError, match="a header and at least one row are needed"):
        compare(None, HEAD)
    with pytest.raises(UsageError, match="there is no column 'reduction_kwh'"):
        compare(None, "event,project_id\npeak,HOME_1\n")
