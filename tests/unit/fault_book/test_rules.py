"""The rates and times of faults, mixtures of them, and plugins that break their contract."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridsim.api import InjectFault, Target
from gridsim.errors import PluginError
from gridsim.simulation.step import Simulation
from tests.fixtures.runs import HEAD, HOMES, Bench, Done, keys

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
        "the fault 'frost' failed: ValueError: cold",
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
    run = Bench(tmp_path).run(text + HOMES + f'[[faults]]\nid = "F"\ntype = "{name}"\n', 3)
    [failure] = [one for outcome in run.outcomes for one in outcome.failures]
    assert (failure.fleet, failure.fault, failure.tick, failure.devices) == (name, "F", 0, 0)
    assert failure.effect == "fault F disabled"
    assert re.fullmatch(rf"{re.escape(message)} \(odd\.py:\d+ in inject\)", failure.reason)
    assert run.payloads == Bench(tmp_path).run(HEAD + HOMES, 3).payloads
    assert not run.episodes


@pytest.mark.parametrize("name", ["frost", "crows"])
def test_a_fault_that_fails_ends_and_the_others_go_on(tmp_path: Path, name: str) -> None:
    body = "if tick.index == 2: raise ValueError('worn out')"
    (tmp_path / "odd.py").write_text(PLUGIN.format(device=body, message=body))
    text = HEAD.replace("[simulation]", '[simulation]\nplugins = ["odd.py"]') + HOMES
    text += f'[[faults]]\nid = "F"\ntype = "{name}"\n[[faults]]\nid = "G"\ntype = "sign_flip"\n'
    scenario, _ = Bench(tmp_path).plan(text)
    simulation = Simulation(scenario)
    results = [simulation.advance() for _ in range(4)]
    start_ms = scenario.start_ms
    ended = [one for result in results for one in result.episodes]
    assert {(one.fault_id, one.start_ms, one.end_ms) for one in ended} == {
        ("F", start_ms, start_ms + 20_000)
    }
    assert len(ended) == len(scenario.roster)
    assert [[one.fault for one in result.failures] for result in results] == [[], [], ["F"], []]
    assert results[3].truth is not None
    assert [id for id, _ in results[3].truth.running_faults] == ["G"]
    again = Simulation(scenario)
    again.restore(simulation.state())
    assert again.failures == simulation.failures
    assert again.advance().failures == ()


def test_an_injected_fault_that_fails_is_acknowledged_as_cancelled(tmp_path: Path) -> None:
    body = "if tick.index == 1: raise ValueError('worn out')"
    (tmp_path / "odd.py").write_text(PLUGIN.format(device=body, message="pass"))
    text = HEAD.replace("[simulation]", '[simulation]\nplugins = ["odd.py"]') + HOMES
    scenario, _ = Bench(tmp_path).plan(text)
    simulation = Simulation(scenario)
    inject = InjectFault(target=Target(""), id="i1", fault="F", settings={"type": "frost"})
    [accepted] = simulation.advance([inject]).acknowledgements
    [cancelled] = simulation.advance().acknowledgements
    assert (accepted.status, cancelled.status) == ("accepted", "cancelled")
    assert cancelled.reason.startswith("the fault 'frost' failed: ValueError: worn out")


def test_a_fault_that_strikes_nobody_is_refused(tmp_path: Path) -> None:
    text = PLUGIN.format(device="pass", message="pass").replace("def inject", "def hit")
    (tmp_path / "odd.py").write_text(text)
    head = HEAD.replace("[simulation]", '[simulation]\nplugins = ["odd.py"]')
    # A class that cannot be made is an error of the configuration.
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
