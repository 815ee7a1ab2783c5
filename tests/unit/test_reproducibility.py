"""The same configuration and seed give the same bytes, however the run is cut or paced."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gridsim.config.resolve import Flags
from gridsim.running.engine import Engine
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed

HEAD = """
[simulation]
seed = 42
tick_s = 60.0
start = 2026-06-21T18:30:00Z

[site]
latitude = 45.96
longitude = -66.64
timezone = "America/Moncton"

[[transports]]
type = "stdout"
"""

HOMES = """
[[projects]]
id = "HOME_{n:03}"
count = 12
contract_threshold = { uniform = [1.0, 3.0] }
latitude = { uniform = [45.9, 46.0] }
load = { type = "household", annual_kwh = { lognormal = [8.5, 0.4] } }

[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = { normal = [6.0, 1.5], min = 2.0, max = 12.0 }
tilt = { choice = [15, 30, 45], weights = [1, 3, 1] }

[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = { uniform = [5.0, 14.0] }
report_every_s = 300

[[projects.ders]]
id = "{project_id}_EV_{n}"
type = "ev_charger"
count = 2
nameplate_capacity = 7.4
"""

SHOP = """
[[projects]]
id = "SHOP"
load = { type = "constant", kw = 12.5 }

[[projects.ders]]
id = "SHOP_BAT"
type = "battery"
nameplate_capacity = 20.0
energy_capacity_kwh = 40.0
"""

TICKS = 180  # three hours, in which cars arrive

Run = Callable[..., list[bytes]]


class Hand:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a configuration at a speed and returns every payload, in order. Each runs once."""
    folder = tmp_path_factory.mktemp("run")

    @cache
    def run(text: str, *, speed: float = 0.0, ticks: int = TICKS, seed: int | None = None) -> Any:
        path = folder / "config.toml"
        path.write_text(text)
        plan = make_plan(Options(config=path, flags=Flags(speed=speed, seed=seed)))
        format = plan.transports[0].transport.format
        payloads: list[bytes] = []
        hand = Hand()
        engine = Engine(
            Simulation(plan.configuration.scenario),
            lambda outcome: payloads.extend(format.encode(outcome.batch).bodies),
            tick_s=60.0,
            speed=speed,
            ticks=ticks,
            monotonic=hand,
        )
        if not speed:
            engine.run_free()
        while not engine.finished.is_set():
            engine.run_due()
            hand.now += 1.7 * engine.wake_s  # wake-ups that are late, and differently so
        assert engine.error is None
        return payloads

    return run


def by_der(payloads: list[bytes]) -> dict[str, list[bytes]]:
    result: dict[str, list[bytes]] = {}
    for payload in payloads:
        result.setdefault(json.loads(payload)["der_id"], []).append(payload)
    return result


def test_the_same_bytes_at_every_speed(run: Run) -> None:
    free = run(HEAD + HOMES)
    assert len(free) == 12 * (3 * TICKS + TICKS // 5)
    assert run(HEAD + HOMES, speed=1.0) == free
    assert run(HEAD + HOMES, speed=3600.0) == free


def test_another_seed_gives_other_values(run: Run) -> None:
    assert run(HEAD + HOMES, ticks=2) != run(HEAD + HOMES, ticks=2, seed=43)


def test_other_devices_change_nothing(run: Run) -> None:
    alone = by_der(run(HEAD + HOMES))
    first = by_der(run(HEAD + SHOP + HOMES))
    last = by_der(run(HEAD + HOMES + SHOP))
    assert first.pop("SHOP_BAT") == last.pop("SHOP_BAT")
    assert first == last == alone


def test_reordering_the_devices_of_a_project_changes_none_of_them(run: Run) -> None:
    stanzas = HOMES.split("\n[[projects.ders]]\n")
    swapped = "\n[[projects.ders]]\n".join([stanzas[0], stanzas[3], stanzas[1], stanzas[2]])
    assert by_der(run(HEAD + swapped)) == by_der(run(HEAD + HOMES))


def test_a_shard_gives_what_the_whole_gives(run: Run) -> None:
    whole = by_der(run(HEAD + HOMES + SHOP))
    shards = by_der(run(HEAD + HOMES)) | by_der(run(HEAD + SHOP))
    fewer = by_der(run(HEAD + HOMES.replace("count = 12", "count = 5")))
    assert shards == whole
    assert fewer == {der: whole[der] for der in fewer}


def test_a_resumed_simulation_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(HEAD + HOMES)
    plan = make_plan(Options(config=path, flags=Flags(speed=0.0)))
    encode = plan.transports[0].transport.format.encode
    whole = Simulation(plan.configuration.scenario)
    for _ in range(100):
        whole.step()
    copy = resumed(whole, plan.configuration.scenario)
    for _ in range(100):
        assert list(encode(copy.step()).bodies) == list(encode(whole.step()).bodies)
