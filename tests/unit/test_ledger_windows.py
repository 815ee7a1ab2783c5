"""The reader's windows hold every reading once, whatever their size."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from gridsim.helpers.timestamps import rfc3339
from gridsim.ledger import Reader, Window
from gridsim.ledger.columns import NONE
from gridsim.ledger.windows import join_windows
from gridsim.verify.sent import SentWindows
from tests.fixtures.ledgers import FAULTS, Kept, copy_of_kept, keep

LOST = '\n[[faults]]\nid = "gone"\ntype = "drop"\nprobability = 0.2\n'
COLUMNS = [field.name for field in fields(Window)]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return copy_of_kept(tmp_path, FAULTS + LOST)


def windows(kept: Kept, rows: int) -> list[Window]:
    with Reader(kept.ledger) as reader:
        return list(reader.windows(rows))


@pytest.mark.parametrize("rows", [1, 5, 6, 7, 12, 13, 1000])
def test_windows_are_whole_ticks_of_at_most_so_many_readings(kept: Kept, rows: int) -> None:
    whole = join_windows(windows(kept, 10**9))
    parts = windows(kept, rows)
    ticks = [np.unique(part.batch) for part in parts]
    assert np.concatenate(ticks).tolist() == np.unique(whole.batch).tolist()
    assert all(len(part) <= rows or len(own) == 1 for part, own in zip(parts, ticks, strict=True))
    together = join_windows(parts)
    for name in COLUMNS:
        assert getattr(together, name).tolist() == getattr(whole, name).tolist(), name


def test_a_window_has_the_readings_as_sent(tmp_path: Path) -> None:
    """Every field that the ledger knows, against the lines that a back-end receives."""
    late = '\n[[faults]]\nid = "away"\ntype = "offline"\nreadings = "stored"\n'
    skew = '\n[[faults]]\nid = "skew"\ntype = "clock_step"\nstep_s = -3.5\nders = ["HOME_2_*"]\n'
    when = "after_s = 5\nduration_s = 4\n"
    kept = keep(tmp_path, more=f'{late}ders = ["HOME_1_*"]\n{when}{skew}{when}')
    window = join_windows(windows(kept, 50))
    with Reader(kept.ledger) as reader:
        ids = [name for (name,) in reader.rows("SELECT der_id FROM devices ORDER BY device")]
    sent = [json.loads(line) for line in kept.lines]
    assert [ids[index] for index in window.device.tolist()] == [one["der_id"] for one in sent]
    assert [rfc3339(time) for time in window.sent_ms.tolist()] == [one["timestamp"] for one in sent]
    for name, column in (
        ("current_output", window.sent_output),
        ("power_meter_measurement", window.sent_meter),
        ("baseline", window.baseline),
    ):
        assert (column / 100).tolist() == [one[name] for one in sent], name
    soc = [None if value == NONE else value / 10 for value in window.sent_soc.tolist()]
    assert soc == [None if one["current_soc"] == "null" else one["current_soc"] for one in sent]
    assert window.online.tolist() == [one["is_online"] for one in sent]
    since = [rfc3339(time) for time in window.since_ms.tolist()]
    assert since == [one["connection_start_at"] for one in sent]
    # Two devices connect again after the fault.
    assert window.connects.sum() == len(ids) + 2
    assert window.number.tolist() == list(range(len(sent)))
    assert window.differs.any()
    assert (window.batch > window.tick).any()


def test_readings_that_were_never_sent_have_their_fault(kept: Kept) -> None:
    with Reader(kept.ledger) as reader:
        unsent, faults = reader.unsent(), reader.faults()
        sent = sum(len(window) for window in reader.windows())
    [number] = [fault.number for fault in faults if fault.id == "gone"]
    assert len(unsent)
    assert (unsent.faults >> np.uint64(number) & np.uint64(1)).all()
    assert (unsent.tick <= unsent.known).all()
    copies = int(unsent.copy.sum())
    assert sent == len(kept.lines)
    with Reader(kept.ledger) as reader:
        copies += sum(int(window.copy.sum()) for window in reader.windows())
    assert sent + len(unsent) - copies == 40 * 6


def test_a_ledger_without_a_tick_has_no_window(tmp_path: Path) -> None:
    kept = keep(tmp_path, ticks=0)
    assert windows(kept, 10) == []
    assert len(join_windows([])) == 0
    with Reader(kept.ledger) as reader:
        assert len(reader.unsent()) == 0
        assert len(SentWindows(reader, 0, "der").whole()) == 0


@pytest.mark.parametrize("framing", ["der", "project"])
def test_what_was_sent_is_the_same_in_windows(kept: Kept, framing: str) -> None:
    with Reader(kept.ledger) as reader:
        whole = SentWindows(reader, 0, framing).whole()
        parts = list(SentWindows(reader, 0, framing).read(20))
    assert len(parts) > 5
    for field in fields(whole):
        if field.name == "reasons":
            continue
        own = np.concatenate([getattr(part, field.name) for part in parts])
        assert own.tolist() == getattr(whole, field.name).tolist(), field.name
    messages = len(np.unique(whole.message))
    assert messages == (len(whole) if framing == "der" else whole.message[-1] + 1)
    assert messages < len(whole) or framing == "der"
