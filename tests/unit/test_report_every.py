"""The reporting times of devices that report less often than every tick."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridsim.api import identities
from gridsim.contracts.results import TickResult
from tests.fixtures.runs import HEAD, Bench, Done

EVERY = 20
DEVICES = 400
TICKS = 3 * EVERY

FLEET = f"""
[[projects]]
id = "HOME_{{n}}"
count = {DEVICES}
load = {{ type = "constant", kw = 1.0 }}
[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
"""
SELDOM = FLEET + f"report_every_s = {EVERY * 10}\n"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    return Bench(tmp_path_factory.mktemp("seldom")).run(HEAD + SELDOM, TICKS)


def devices(outcome: TickResult) -> list[int]:
    return list(outcome.batch.device)


def test_each_reports_once_in_every_interval_always_at_the_same_place(done: Done) -> None:
    first = [devices(outcome) for outcome in done.outcomes[:EVERY]]
    assert sorted(device for tick in first for device in tick) == list(range(DEVICES))
    for start in range(EVERY, TICKS, EVERY):
        assert [devices(one) for one in done.outcomes[start : start + EVERY]] == first


def test_the_fleet_never_reports_in_one_burst(done: Done) -> None:
    counts = np.array([len(outcome.batch) for outcome in done.outcomes[:TICKS]])
    mean = DEVICES / EVERY
    # Of devices that choose their place by chance: five standard deviations at most.
    assert np.abs(counts - mean).max() < 5 * np.sqrt(mean)


def test_the_place_follows_from_the_id_alone(done: Done, tmp_path: Path) -> None:
    place = identities(done.roster.der_id) % np.uint64(EVERY)
    for tick, outcome in enumerate(done.outcomes[:TICKS]):
        assert devices(outcome) == np.flatnonzero(place == tick % EVERY).tolist()
    fewer = SELDOM.replace(f"count = {DEVICES}", "count = 3").replace("5.0", "6.0")
    alone = Bench(tmp_path).run(HEAD.replace("seed = 42", "seed = 7") + fewer, EVERY)
    for one, whole in zip(alone.outcomes[:EVERY], done.outcomes, strict=False):
        assert devices(one) == [device for device in devices(whole) if device < 3]


def test_every_device_reports_each_tick_unless_told_otherwise(tmp_path: Path) -> None:
    done = Bench(tmp_path).run(HEAD + FLEET.replace(str(DEVICES), "3"), 3)
    assert [devices(outcome) for outcome in done.outcomes] == [[0, 1, 2]] * 3 + [[]]
