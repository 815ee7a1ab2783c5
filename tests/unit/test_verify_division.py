"""A comparison in chunks gives what one of all readings at once gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from gridsim.verify import disorder, jsonlines, remainder, unchanged
from gridsim.verify.matching import match
from tests.fixtures.ledgers import FAULTS, Kept, keep

SKEW = """
[[faults]]
id = "skew"
type = "clock_step"
step_s = -3.0
ders = ["HOME_2_*"]
after_s = 5
duration_s = 20
"""
Lines = list[bytes]


def edited(lines: Lines, places: list[int], **change: Any) -> Lines:
    lines = list(lines)
    for place in places:
        lines[place] = json.dumps(json.loads(lines[place]) | change).encode()
    return lines


def tamper(random: Random, lines: Lines) -> Lines:
    """Return lines that were changed in one of many ways."""
    at, other = random.randrange(len(lines) - 1), random.randrange(len(lines) - 1)
    whole = [place for place, line in enumerate(lines) if line.endswith(b"}")]
    some = random.sample(whole, 5)
    ways: list[Callable[[], Lines]] = [
        lambda: lines[:at] + lines[at + 1 :],
        lambda: [*lines[:other], lines[at], *lines[other:]],
        lambda: random.sample(lines, len(lines)),
        lambda: sorted(lines),
        lambda: lines[at:],
        lambda: lines + lines[:at],
        lambda: edited(lines, some, current_output=1.23),
        lambda: edited(lines, some, is_online="x"),
        lambda: edited(lines, some, timestamp="2026-07-01T12:00:11.000Z"),
        lambda: edited(lines, some, der_id="HOME_9_PV"),
        lambda: [*lines[:at], lines[at][:40], *lines[at + 1 :]],
        lambda: [line.replace(b".000Z", b".400Z") for line in lines],
        lambda: [line.replace(b"T12:", b"T14:") for line in lines],
        lambda: [line.replace(b'"type":"solar",', b"") for line in lines[:at]] + lines[at:],
        lambda: [line.replace(b"12:00:1", b"12:00:2") for line in lines],
    ]
    return random.choice(ways)()


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kept]:
    project = ('transports.0.framing="project"',)
    return {
        "plain": keep(tmp_path_factory.mktemp("plain")),
        "faults": keep(tmp_path_factory.mktemp("faults"), more=FAULTS + SKEW),
        "project": keep(tmp_path_factory.mktemp("project"), more=SKEW, overrides=project),
    }


@pytest.mark.parametrize("name", ["plain", "faults", "project"])
def test_chunks_give_what_the_whole_gives(
    ledgers: dict[str, Kept], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    kept = ledgers[name]
    monkeypatch.setattr(jsonlines, "_BLOCK_BYTES", 2000)
    for module in (unchanged, remainder, disorder):
        monkeypatch.setattr(module, "ROWS", 20)
    for seed in range(4):
        random = Random(f"{name} {seed}")
        lines = kept.lines
        for _ in range(1 if name == "project" else random.choice((1, 1, 2))):
            lines = tamper(random, lines) if name != "project" else random.sample(lines, 60)
        options = {"time_tolerance_s": random.choice((0.0, 0.0, 0.5))}
        found = kept.compare(lines, **options)
        with monkeypatch.context() as patch:
            patch.setattr(remainder.Division, "others", lambda self, *_: self.whole())
            whole = kept.compare(lines, **options)
        assert found.as_json() == whole.as_json(), seed
        assert list(found.lines()) == list(whole.lines()), seed


def test_readings_that_arrived_as_sent_are_not_compared_again(
    ledgers: dict[str, Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file with one change, only the readings of that device and time are left."""
    kept, seen = ledgers["plain"], []

    def counted(sent: Any, arrivals: Any, *more: Any) -> Any:
        seen.append((len(sent), len(arrivals)))
        return match(sent, arrivals, *more)

    monkeypatch.setattr("gridsim.verify.comparison.match", counted)
    assert kept.compare().passed
    kept.compare(edited(kept.lines, [60], current_output=9.99))
    kept.compare([*kept.lines[:60], kept.lines[60], *kept.lines[60:]])
    kept.compare(sorted(kept.lines))
    assert seen == [(0, 0), (1, 1), (1, 2), (0, 0)]


def test_a_field_that_only_later_records_have_is_missed_in_the_first(
    ledgers: dict[str, Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ledgers["plain"]
    monkeypatch.setattr(jsonlines, "_BLOCK_BYTES", 2000)
    short = [line.replace(b'"type":"solar",', b"") for line in kept.lines if b"_PV" in line]
    rest = [line for line in kept.lines if b"_PV" not in line]
    report = kept.compare([*short, *rest])
    assert report.differences.causes["unreadable"] == {"unexplained": 120}
    [field] = report.unreadable_fields
    assert (field.name, field.unreadable, field.rows) == ("type", 120, 240)
