"""Rows that wait: none is lost or comes twice, whichever are taken."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from gridsim.api import Labels
from gridsim.simulation.faults import rows
from gridsim.simulation.faults.rows import Held, Mask, MessageRows, everything, fresh
from gridsim.testing import make_batch, make_roster

DEVICES, TICKS = 40, 200


def told(parts: list[MessageRows]) -> list[tuple[int, int]]:
    return [
        key
        for part in parts
        for key in zip(part.batch.tick.tolist(), part.batch.device.tolist(), strict=True)
    ]


def is_due(time_ms: int, part: MessageRows) -> Mask:
    due: Mask = part.due_ms <= time_ms
    return due


@pytest.mark.parametrize("large", [1, 500, 1_000_000])
def test_what_is_held_comes_once(monkeypatch: pytest.MonkeyPatch, large: int) -> None:
    """Against a plain set, with devices and due times at random."""
    monkeypatch.setattr(rows, "_LARGE", large)
    rng = np.random.default_rng(5)
    batch = make_batch(make_roster((DEVICES,)), ticks=TICKS)
    every = fresh(replace(batch, labels=Labels.blank(batch)))
    held, waiting = Held(make_roster((DEVICES,))), dict[tuple[int, int], int]()
    for tick in range(TICKS):
        some = every.pick(tick * DEVICES + np.flatnonzero(rng.random(DEVICES) < 0.5))
        some = replace(some, due_ms=tick + rng.integers(1, 60, len(some)))
        held.add(some)
        waiting |= dict(zip(told([some]), some.due_ms.tolist(), strict=True))

        late = told(held.take(partial(is_due, tick)))
        assert sorted(late) == sorted(key for key, due in waiting.items() if due <= tick)
        back = np.flatnonzero(rng.random(DEVICES) < 0.1)
        waiting = {key: due for key, due in waiting.items() if due > tick}
        theirs = told(held.take_of(back))
        assert sorted(theirs) == sorted(key for key in waiting if key[1] in back)
        waiting = {key: due for key, due in waiting.items() if key[1] not in back}

        counted = np.bincount([key[1] for key in waiting], minlength=DEVICES)
        np.testing.assert_array_equal(held.count, counted)
    assert waiting
    assert sorted(told(held.take(everything))) == sorted(waiting)
    assert not held.count.any()
