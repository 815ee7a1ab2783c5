"""Whatever is changed, added or removed behind a run's back is found and explained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gridsim.api import Batch
from gridsim.ledger import Ledger
from gridsim.verify.differences import KINDS
from tests.fixtures.ledgers import FAULTS, Kept, keep
from tests.unit.verify.changed import unexplained


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
    for place in (*torn, *range(0, len(broken.lines), 31)):
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
