"""Faults are a function of the seed: at any speed, beside any device, over a checkpoint."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np

from gridsim.api import Batch
from gridsim.contracts.results import TickResult
from gridsim.running.engine import Engine
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed
from tests.fixtures.runs import Done, done
from tests.unit.fault_book.runs import TICKS, plan_chaos, run_plan

# Reproducible: same seed, any speed, any company, over a checkpoint, in a retry.


def assert_same(one: Done, other: Done) -> None:
    assert one.payloads == other.payloads
    assert one.episodes == other.episodes
    assert_same_batches(one.batches + one.unsent, other.batches + other.unsent)


def assert_same_batches(one: list[Batch], other: list[Batch]) -> None:
    for a, b in zip(one, other, strict=True):
        assert a.labels is not None
        assert b.labels is not None
        for x, y in ((a, b), (a.labels, b.labels)):
            for name in x.__slots__:
                if isinstance(getattr(x, name), np.ndarray):
                    np.testing.assert_array_equal(getattr(x, name), getattr(y, name), name)


def test_a_seed_has_its_faults(chaos: Done) -> None:
    def told(run: Done) -> list[Any]:
        return [
            (one.episodes, bodies) for one, bodies in zip(run.outcomes, run.bodies, strict=True)
        ]

    ticks = 50
    again, other = run_plan(plan_chaos(), ticks), run_plan(plan_chaos(seed=7), ticks)
    assert told(again)[:ticks] == told(chaos)[:ticks]
    assert_same_batches(again.batches[:ticks], chaos.batches[:ticks])
    kinds = [[one.outcomes[tick].episodes for tick in range(ticks)] for one in (chaos, other)]
    assert kinds[0] != kinds[1]


class Hand:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def test_they_are_the_same_at_another_speed(chaos: Done) -> None:
    plan, hand, ticks = plan_chaos(), Hand(), 120
    outcomes: list[TickResult] = []
    engine = Engine(
        Simulation(plan.configuration.scenario),
        outcomes.append,
        tick_s=5.0,
        speed=60.0,
        ticks=ticks,
        monotonic=hand,
    )
    while not engine.finished.is_set():
        engine.run_due()
        hand.now += 1.7 * engine.wake_s
    format = plan.transports[0].transport.format
    bodies = [list(format.encode(outcome.batch).bodies) for outcome in outcomes]
    slow = Done(chaos.roster, outcomes[:ticks], bodies[:ticks])
    assert_same(slow, Done(chaos.roster, chaos.outcomes[:ticks], chaos.bodies[:ticks]))


def test_a_checkpoint_holds_stored_readings_and_open_faults(chaos: Done) -> None:
    plan = plan_chaos()
    simulation = Simulation(plan.configuration.scenario)
    before = list[TickResult]()
    for at in (100, 200):
        before += [simulation.advance() for _ in range(len(before), at)]
        taken = at * 75
        known = sum(len(o.batch) + (len(o.unsent) if o.unsent else 0) for o in before)
        copies = sum(int(o.batch.labels.copy.sum()) for o in before if o.batch.labels is not None)
        assert known - copies < taken, "something is held back, or the test is of no use"
        simulation = resumed(simulation, plan.configuration.scenario)
    rest = done(simulation, plan.transports[0].transport.format, TICKS - at)
    assert rest.payloads == [body for bodies in chaos.bodies[at:] for body in bodies]
    again = Done(chaos.roster, [*before, *rest.outcomes], chaos.bodies)
    assert_same(again, chaos)


def by_device(run: Done, ticks: int) -> dict[str, list[Any]]:
    """Of each device: in which tick which of its readings left, how, and with what labels."""
    found: dict[str, list[Any]] = {}
    for at, outcome in enumerate(run.outcomes[:ticks]):
        for fate, batch in (("sent", outcome.batch), ("lost", outcome.unsent)):
            if batch is None or batch.labels is None:
                continue
            labels = batch.labels
            for row, device in enumerate(batch.device.tolist()):
                body = run.bodies[at][row] if fate == "sent" else b""
                entry = (at, fate, int(batch.tick[row]), body, int(labels.faults[row]))
                found.setdefault(run.roster.der_id[device], []).append(entry)
    return found


def test_a_device_has_its_faults_whoever_else_is_there(chaos: Done) -> None:
    # Four homes less: no pattern of the scenario names them alone.
    fewer = run_plan(plan_chaos("projects.0.count=16", "projects.1.count=5"), 120)
    every = by_device(chaos, 120)
    some = by_device(fewer, 120)
    assert len(some) == 75 - 12
    for device, entries in some.items():
        assert entries == every[device], device


def test_a_retry_alters_alike(chaos: Done) -> None:
    format = plan_chaos().transports[0].transport.format
    altered = 0
    for batch, bodies in zip(chaos.batches, chaos.bodies, strict=True):
        for start in (0, len(batch) // 3, len(batch) - 1):
            if len(batch):
                assert list(format.encode(batch.rows(start)).bodies) == bodies[start:]
        assert batch.labels is not None or not len(batch)
        altered += 0 if batch.labels is None else int((batch.labels.altered >= 0).sum())
    assert altered > 100


def test_messages_of_a_project_stay_whole() -> None:
    plan = plan_chaos('transports=[{type="stdout",framing="project"}]')
    format = plan.transports[0].transport.format
    simulation = Simulation(plan.configuration.scenario)
    for _ in range(100):
        batch = simulation.step()
        labels = batch.labels
        assert labels is not None
        payloads = format.encode(batch)
        again = [body for _, part in format.encode_parts(batch, 7) for body in part.bodies]
        assert again == list(payloads.bodies), "a message sent again is another"
        for body, (a, b) in zip(
            payloads.bodies, pairwise(np.asarray(payloads.starts).tolist()), strict=True
        ):
            assert len(set(batch.roster.project[batch.device[a:b]].tolist())) == 1
            assert len(set(batch.device[a:b].tolist())) == b - a
            if (labels.altered[a:b] < 0).all():
                records = json.loads(body)
                assert [one["der_id"] for one in records] == [
                    batch.roster.der_id[device] for device in batch.device[a:b]
                ]
                assert len({one["timestamp"] for one in records}) == 1
