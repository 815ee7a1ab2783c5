"""The readings of a run with every fault, and the labels that explain them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gridsim.api import Batch
from gridsim.simulation.step import Simulation
from tests.fixtures.runs import Done, keys
from tests.unit.fault_book.runs import TICKS, plan_chaos, run_plan

COLUMNS = ("timestamp_ms", "current_output", "power_meter_measurement", "current_soc")


@pytest.fixture(scope="module")
def calm() -> Done:
    """The same fleet with a ghost, which changes its site, and nothing else."""
    return run_plan(
        plan_chaos("simulation.scenarios=[]", 'faults=[{type="ghost",ders=["FARM_5_WIND"]}]')
    )


def true_values(batches: list[Batch], column: str) -> Iterator[tuple[Any, Any]]:
    """Every reading with what would have been right."""
    for batch in batches:
        yield from zip(keys(batch), getattr(batch.labels, column).tolist(), strict=True)


def test_every_fault_strikes(chaos: Done) -> None:
    scenario = plan_chaos().configuration.scenario
    bits = np.zeros((), np.uint64)
    for batch in (*chaos.batches, *chaos.unsent):
        assert batch.labels is not None
        bits |= np.bitwise_or.reduce(batch.labels.faults, initial=np.uint64(0))
    affected = {spec.id for i, spec in enumerate(scenario.faults) if int(bits) >> i & 1}
    assert affected == {spec.id for spec in scenario.faults}
    assert len({spec.name for spec in scenario.faults}) == 21
    # The error of a meter is not a fault that begins and ends.
    assert {one.fault_id for one in chaos.episodes} == affected - {"meter_class"}


def test_every_reading_leaves_or_is_known_never_to(chaos: Done, calm: Done) -> None:
    taken = Counter(key for batch in calm.batches for key in keys(batch))
    first: Counter[Any] = Counter()
    copies: Counter[Any] = Counter()
    for batch in (*chaos.batches, *chaos.unsent):
        assert batch.labels is not None
        for key, copy in zip(keys(batch), batch.labels.copy.tolist(), strict=True):
            assert not copy or first[key], "a copy comes before what it repeats"
            (copies if copy else first)[key] += 1
    assert first == taken
    assert copies.total() > 0
    assert set(copies.values()) == {1}


def test_the_count_goes_on_from_batch_to_batch(chaos: Done) -> None:
    left = 0
    for batch in chaos.batches:
        assert batch.number == left
        left += len(batch)


def test_the_physics_goes_on_underneath(chaos: Done, calm: Done) -> None:
    for column in COLUMNS:
        truth = dict(true_values(calm.batches, column))
        for key, value in true_values([*chaos.batches, *chaos.unsent], column):
            np.testing.assert_equal(value, truth[key])


def test_what_no_fault_touched_is_true(chaos: Done) -> None:
    for batch in chaos.batches:
        labels = batch.labels
        assert labels is not None
        good = labels.faults == 0
        assert good.any() or not len(batch)
        for column in COLUMNS:
            np.testing.assert_array_equal(
                getattr(batch, column)[good], getattr(labels, column)[good]
            )
        assert batch.is_online[good].all()
        assert (labels.altered[good] == -1).all()


def test_whatever_is_odd_has_a_cause(chaos: Done) -> None:
    for tick, batch in enumerate(chaos.batches):
        labels = batch.labels
        assert labels is not None
        odd = labels.copy | (labels.altered >= 0) | (batch.tick < tick) | ~batch.is_online
        assert (labels.faults[odd] != 0).all()
        by = labels.altered[labels.altered >= 0].astype(np.uint64)
        assert ((labels.faults[labels.altered >= 0] >> by) & np.uint64(1) == 1).all()
    for batch in chaos.unsent:
        assert batch.labels is not None
        assert (batch.labels.faults != 0).all()


def test_late_ones_come_first_and_copies_last(chaos: Done) -> None:
    for tick, batch in enumerate(chaos.batches):
        labels = batch.labels
        assert labels is not None
        copies = np.flatnonzero(labels.copy)
        assert copies.tolist() == list(range(len(batch) - len(copies), len(batch)))
        current = np.flatnonzero(batch.tick == tick)
        if len(current):
            before = batch.tick[: current[0]]
            assert (np.diff(before) >= 0).all(), "late ones come oldest first"


def test_arrays_that_leave_are_read_only(chaos: Done) -> None:
    for batch in (*chaos.batches, *chaos.unsent):
        assert batch.labels is not None
        for holder in (batch, batch.labels):
            for name in holder.__slots__:
                value = getattr(holder, name)
                assert not isinstance(value, np.ndarray) or not value.flags.writeable, name


def test_the_tally_is_that_of_the_rows(ended: tuple[Simulation, Done]) -> None:
    simulation, run = ended
    tally = simulation.tally
    assert tally is not None
    left = sum(len(batch) for batch in run.batches)
    assert tally.taken == left - tally.repeated + tally.lost == TICKS * 75
    assert tally.lost == sum(len(batch) for batch in run.unsent)
    late = [batch.tick < tick for tick, batch in enumerate(run.batches)]
    labels = [batch.labels for batch in run.batches if batch.labels is not None]
    assert tally.late == sum(
        int((is_late & ~one.copy).sum()) for is_late, one in zip(late, labels, strict=True)
    )
