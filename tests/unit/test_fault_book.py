"""Faults account for every reading, never touch the physics, and are the same in every run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridsim.api import Batch
from gridsim.config.resolve import Flags
from gridsim.contracts.results import TickResult
from gridsim.errors import PluginError
from gridsim.running.engine import Engine
from gridsim.running.plan import Options, Plan, make_plan
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed
from tests.fixtures.runs import HEAD, HOMES, Bench, Done, done, keys

CHAOS = Path(__file__).parents[2] / "configs" / "chaos.toml"
START = 'simulation.start="2026-11-01T01:45:00-03:00"'
TICKS = 260  # 22 minutes, past the end of daylight saving; at 246 a frozen load differs

COLUMNS = ("timestamp_ms", "current_output", "power_meter_measurement", "current_soc")


def plan_chaos(*overrides: str, seed: int | None = None) -> Plan:
    given = ('transports=[{type="stdout"}]', START, *overrides)
    return make_plan(Options(config=CHAOS, overrides=given, flags=Flags(seed=seed)))


def run_plan(plan: Plan, ticks: int = TICKS) -> Done:
    format = plan.transports[0].transport.format
    return done(Simulation(plan.configuration.scenario), format, ticks)


@pytest.fixture(scope="module")
def ended() -> tuple[Simulation, Done]:
    plan = plan_chaos()
    simulation = Simulation(plan.configuration.scenario)
    return simulation, done(simulation, plan.transports[0].transport.format, TICKS)


@pytest.fixture(scope="module")
def chaos(ended: tuple[Simulation, Done]) -> Done:
    return ended[1]


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
    assert {one.fault_id for one in chaos.episodes} == {spec.id for spec in scenario.faults}


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

    ticks = 80
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
    plan, hand = plan_chaos(), Hand()
    outcomes: list[TickResult] = []
    engine = Engine(
        Simulation(plan.configuration.scenario),
        outcomes.append,
        tick_s=5.0,
        speed=60.0,
        ticks=TICKS,
        monotonic=hand,
    )
    while not engine.finished.is_set():
        engine.run_due()
        hand.now += 1.7 * engine.wake_s
    engine.finish()
    format = plan.transports[0].transport.format
    bodies = [list(format.encode(outcome.batch).bodies) for outcome in outcomes]
    assert_same(Done(chaos.roster, outcomes, bodies), chaos)


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


# Without faults nothing of it exists.


def test_faults_that_never_strike_change_not_a_byte(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    never = "".join(
        f'[[faults]]\ntype = "{name}"\nafter_s = 1e6\nduration_s = 1\n'
        for name in ("offline", "drop", "noise", "malformed", "clock_step")
    )
    plain, armed = bench.run(HEAD + HOMES, 100), bench.run(HEAD + HOMES + never, 100)
    assert armed.payloads == plain.payloads
    assert all(batch.labels is None for batch in plain.batches)
    assert plain.unsent == armed.unsent == []
    assert [batch.number for batch in plain.batches] == [batch.number for batch in armed.batches]


# Rates, times, and plugins that break their contract.


def test_faults_at_a_rate_come_as_often_as_they_should(tmp_path: Path) -> None:
    many = HOMES.replace("count = 3", "count = 400").replace("tick_s = 10.0", "tick_s = 60.0")
    text = HEAD.replace("tick_s = 10.0", "tick_s = 300.0") + many
    text += '[[faults]]\ntype = "sign_flip"\nper_day = 6\nduration_s = { uniform = [600, 1800] }\n'
    run = Bench(tmp_path).run(text, 144)  # twelve hours
    spans = [(one.end_ms - one.start_ms) / 1000 for one in run.episodes]
    # Those that meet become one, and some are cut at the end.
    assert 800 * 3 * 0.85 < len(spans) < 800 * 3
    whole = [span for span in spans if span > 599]
    assert np.mean(whole) == pytest.approx(1250, rel=0.1)
    assert len({one.start_ms for one in run.episodes}) > 100


def test_cron_strikes_all_at_once_and_devices_recover_one_by_one(tmp_path: Path) -> None:
    text = '[[faults]]\ntype = "offline"\ncron = "*/5 * * * *"\n'
    text += "duration_s = { uniform = [20, 120] }\n"
    run = Bench(tmp_path).run(HEAD + HOMES + text, 90)
    start = 1_782_054_000_000  # 2026-06-21T15:00Z
    assert {one.start_ms - start for one in run.episodes} == {0, 300_000, 600_000}
    lasting = [one.end_ms - one.start_ms for one in run.episodes]
    assert len(set(lasting)) > 6
    assert 20_000 <= min(lasting) < max(lasting) <= 120_000


PLUGIN = """
from gridsim.api import DeviceFault, MessageFault, hookimpl

class Frost(DeviceFault):
    def inject(self, tick, affected):
        {device}

class Crows(MessageFault):
    def inject(self, tick, effects):
        {message}

@hookimpl
def gridsim_register(register):
    register.fault("frost", Frost)
    register.fault("crows", Crows)
"""
BREAKERS = [
    (
        "frost",
        "raise ValueError('cold')",
        "the fault 'frost' failed: ValueError: cold (odd.py:6 in inject)",
    ),
    (
        "frost",
        "affected.current_output[1] = float('nan')",
        "the fault 'frost' set current_output = nan for HOME_1_BAT: this is not allowed",
    ),
    (
        "frost",
        "affected.leaves[0] = 3",
        "the fault 'frost' set leaves = 3 for HOME_1_PV: this is not allowed",
    ),
    (
        "frost",
        "affected.timestamp_ms[0] = 10**15",
        "the fault 'frost' set timestamp_ms = 1000000000000000 for HOME_1_PV: this is not allowed",
    ),
    (
        "frost",
        "affected.current_soc = affected.current_soc[1:]",
        "the fault 'frost' set current_soc to shape (5,) for 6 devices",
    ),
    (
        "crows",
        "effects.delay_ms[2] = -1",
        "the fault 'crows' set delay_ms = -1 for HOME_2_PV: this is not allowed",
    ),
    (
        "crows",
        "effects.overtaken = effects.chance",
        "the fault 'crows' set overtaken to type float64 instead of bool",
    ),
]


@pytest.mark.parametrize(("name", "body", "message"), BREAKERS)
def test_a_fault_that_breaks_its_contract_is_named(
    tmp_path: Path, name: str, body: str, message: str
) -> None:
    bodies = {"device": "pass", "message": "pass"}
    bodies["device" if name == "frost" else "message"] = body
    (tmp_path / "odd.py").write_text(PLUGIN.format(**bodies))
    text = HEAD.replace("[simulation]", '[simulation]\nplugins = ["odd.py"]')
    with pytest.raises(PluginError) as failure:
        Bench(tmp_path).run(text + HOMES + f'[[faults]]\ntype = "{name}"\n', 1)
    assert str(failure.value) == message


def test_a_fault_that_strikes_nobody_is_refused(tmp_path: Path) -> None:
    text = PLUGIN.format(device="pass", message="pass").replace("def inject", "def hit")
    (tmp_path / "odd.py").write_text(text)
    head = HEAD.replace("[simulation]", '[simulation]\nplugins = ["odd.py"]')
    with pytest.raises(PluginError, match=r"the fault 'frost' failed: TypeError: .*inject"):
        Bench(tmp_path).run(head + HOMES + '[[faults]]\ntype = "frost"\n', 1)


# Messages under any mixture of faults.


@st.composite
def mixtures(draw: st.DrawFn) -> str:
    chance = st.sampled_from([0.1, 0.5, 1.0])
    stanzas = []
    types = ["drop", "delay", "duplicate", "reorder", "truncate", "offline"]
    for number, name in enumerate(draw(st.lists(st.sampled_from(types), max_size=5))):
        lines = ["[[faults]]", f'id = "F{number}"', f'type = "{name}"']
        lines.append(f"probability = {draw(chance)}")
        if name == "delay":
            lines.append(f"delay_s = {draw(st.sampled_from([1, 10, 35]))}")
            lines.append(f"jitter_s = {draw(st.sampled_from([0, 20]))}")
        if name == "offline":
            lines.append(f'readings = "{draw(st.sampled_from(["lost", "stored", "flagged"]))}"')
        if draw(st.booleans()):
            lines.append(f"after_s = {draw(st.integers(0, 100))}\nduration_s = 90")
        stanzas.append("\n".join(lines))
    return "\n".join(stanzas)


@given(mixtures())
@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_mixture_loses_count(tmp_path: Path, text: str) -> None:
    run = Bench(tmp_path).run(HEAD + HOMES + text, 25)
    seen = Counter(own_keys(run))
    assert seen == Counter((tick, device) for tick in range(25) for device in range(6))
    for batch in run.batches:
        assert (np.diff(batch.groups()) > 0).all()


def own_keys(run: Done) -> Iterator[tuple[int, int]]:
    for batch in (*run.batches, *run.unsent):
        copies = np.zeros(len(batch), np.bool_) if batch.labels is None else batch.labels.copy
        for key, copy in zip(keys(batch), copies.tolist(), strict=True):
            if not copy:
                yield key


def test_ticks_longer_than_an_hour_miss_no_beginning(tmp_path: Path) -> None:
    text = HEAD.replace("tick_s = 10.0", "tick_s = 10800.0") + HOMES
    text += '[[faults]]\ntype = "sign_flip"\nper_day = 100\nduration_s = 1\n'
    run = Bench(tmp_path).run(text, 16)
    # Twelve beginnings in each tick but the first: hardly one is spared.
    assert len(run.episodes) > 0.95 * 6 * 15
