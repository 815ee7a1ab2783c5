"""The fast parser of whole records gives what the other one gives, or leaves the text to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.ledger import Reader
from gridsim.verify.arrivals import Arrivals
from gridsim.verify.evidence import Evidence
from gridsim.verify.fields import FIELDS
from gridsim.verify.jsonlines import JsonParser
from gridsim.verify.reading import Reading
from gridsim.verify.roster import LedgerRoster
from gridsim.verify.strict import StrictParser
from gridsim.verify.times import TimeReader
from tests.fixtures.ledgers import Kept, keep
from tests.fixtures.parsing import columns, new_reading


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def reading(kept: Kept) -> Reading:
    return new_reading(kept)


def test_both_parsers_give_the_same(kept: Kept, reading: Reading) -> None:
    strict = StrictParser(reading).arrivals(b"\n".join(kept.lines) + b"\n", 7)
    assert strict is not None
    assert (reading.evidence.rows, reading.evidence.there["type"]) == (240, 240)
    other = JsonParser(reading).texts(kept.lines, range(7, 247))
    assert columns(strict) == columns(other)
    for name in Arrivals.__slots__:
        assert getattr(strict, name).dtype == getattr(other, name).dtype, name


@pytest.mark.parametrize(
    "change",
    [
        {"der_id": "X"}, {"der_id": 1}, {"timestamp": "noon"}, {"timestamp": 1}, {"is_online": 1},
        {"current_output": "1.0"}, {"current_output": None}, {"current_output": True},
        {"baseline": 10**400}, {"current_soc": ""}, {"current_soc": "12"}, {"units": "W"},
        {"type": "other"}, {"project_id": "HOME_2"}, {"is_standalone": True},
        {"contract_threshold": 2.01}, {"nameplate_capacity": 5.01}, {"connection_start_at": ""},
    ],
)  # fmt: skip
def test_what_is_not_as_sent_is_left_to_the_other(
    kept: Kept, reading: Reading, change: dict[str, Any]
) -> None:
    lines = [*kept.lines[:5], json.dumps(json.loads(kept.lines[5]) | change).encode()]
    assert StrictParser(reading).arrivals(b"\n".join(lines), 1) is None
    assert reading.evidence.rows == 0


@pytest.mark.parametrize("text", [b"", b"\n", b"{}\n", b"[]\n", b'{"der_id":"HOME_1_BAT"}\n', b"x"])
def test_other_texts_are_left_to_the_other(reading: Reading, text: bytes) -> None:
    assert StrictParser(reading).arrivals(text, 1) is None


def test_the_lines_keep_their_numbers_around_a_damaged_one(kept: Kept, tmp_path: Path) -> None:
    many = kept.lines * 12  # more than one part
    many[2000] = b'{"der_id": "HOME_1_BAT", "time'
    with Reader(kept.ledger) as reader:
        roster = LedgerRoster.of(reader)
    evidence = Evidence({name: name for name in FIELDS})
    parser = JsonParser(Reading(roster, evidence, TimeReader(), several=False, loose=False))
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(many))
    with path.open("rb") as file:
        parts = list(parser.lines(file))
    assert len(parts) > 3
    assert np.concatenate([part.line for part in parts]).tolist() == list(range(1, len(many) + 1))
    garbled = np.concatenate([part.garbled for part in parts])
    assert np.flatnonzero(garbled).tolist() == [2000]
    assert evidence.rows == len(many) - 1
