"""An event with default settings keeps its contract, judged by the JSON messages alone."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridsim.contracts.results import Settlement
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from tests.unit.events.homes import Series, delivered_kwh, reductions, replace_framing, violations

BATTERY = """
[[projects.ders]]
id = "{{project_id}}_B{0}"
type = "battery"
nameplate_capacity = {1}
energy_capacity_kwh = 400
initial_soc = 60
"""
CAR = """
[[projects.ders]]
id = "{project_id}_EV"
type = "ev_charger"
managed = true
nameplate_capacity = 7.2
"""
HEAT = """
[[projects.ders]]
id = "{project_id}_HP"
type = "heat_pump"
managed = true
nameplate_capacity = 3.3
[[projects.ders]]
id = "{project_id}_WH"
type = "water_heater"
managed = true
nameplate_capacity = 2.7
"""
ROOFS = """
[[projects.ders]]
id = "{project_id}_PV1"
type = "solar"
nameplate_capacity = 2.345
[[projects.ders]]
id = "{project_id}_PV2"
type = "solar"
managed = true
nameplate_capacity = 1.111
"""
GENERATOR = """
[[projects.ders]]
id = "{project_id}_G"
type = "generator"
strategy = "follow_load"
nameplate_capacity = 4.7
"""
ONE = BATTERY.format(1, 40.0)
THREE = BATTERY.format(1, 40.0) + BATTERY.format(2, 17.77) + BATTERY.format(3, 0.013)
MIXES = {
    "battery": ONE,
    "batteries": THREE,
    "roofs": ONE + ROOFS,
    "car": CAR + THREE,
    "heat": HEAT + ONE,
    "everything": CAR + HEAT + ROOFS + GENERATOR + THREE,
}
LOADS = (
    '{ type = "household", annual_kwh = 9000 }',
    '{ type = "constant", kw = 1.23456 }',
    '{ type = "constant", kw = 0.005 }',
)


@dataclass(frozen=True)
class Programme:
    """A configuration of three homes of a kind, and one event for all of them."""

    threshold: str
    tick_s: float
    start_ms: int
    after_s: float
    ramp_s: float
    mix: str = "battery"
    load: str = LOADS[0]
    baseline: str = ""
    report_every_s: float | None = None
    seed: int = 3

    @property
    def duration_s(self) -> float:
        return self.ramp_s + 300.0 + max(40.0, 3.4 * self.tick_s)

    @property
    def text(self) -> str:
        mix = MIXES[self.mix]
        if self.report_every_s:
            mix += f"report_every_s = {self.report_every_s}\n"
        baseline = f"baseline = {self.baseline}\n" if self.baseline else ""
        return (
            f"[simulation]\nseed = {self.seed}\ntick_s = {self.tick_s}\n"
            f"start = 2026-07-14T18:00:00.{self.start_ms:03}Z\n"
            '[site]\ntimezone = "America/Moncton"\n'
            f'[[projects]]\nid = "HOME_{{n}}"\ncount = 3\ncontract_threshold = {self.threshold}\n'
            f"load = {self.load}\n{baseline}{mix}"
            f'[[events]]\nid = "peak"\nafter_s = {self.after_s}\nramp_s = {self.ramp_s}\n'
            f'duration_s = {self.duration_s}\n[[transports]]\ntype = "stdout"\n'
        )


def judged(programme: Programme, folder: Path) -> None:
    """Run the programme, and settle it from the payloads: no project is in violation."""
    path = folder / "programme.toml"
    path.write_text(programme.text)
    plan = make_plan(Options(config=path))
    simulation = Simulation(plan.configuration.scenario)
    settlements, payloads = list[Settlement](), list[bytes]()
    json_format = replace_framing(plan)
    while len(settlements) < 3:
        outcome = simulation.advance()
        settlements += outcome.settlements
        payloads += json_format.encode(outcome.batch).bodies
    series, thresholds = reductions(payloads)
    tick_ms = round(programme.tick_s * 1000)
    for own in settlements:
        readings: Series = series[own.project_id]
        threshold = thresholds[own.project_id]
        if programme.report_every_s is None:
            assert violations(readings, own, threshold, tick_ms) == [], programme.text
            assert float(delivered_kwh(readings, own, tick_ms)) == pytest.approx(own.delivered_kwh)
        settled = [kw for at, kw in readings if own.settled_ms <= at < own.end_ms]
        assert min(settled) >= threshold, programme.text
        if programme.mix == "battery":  # It aims at the next step and no further.
            assert max(settled) <= threshold + Decimal("0.01")
        assert own.violations == ()


thresholds = st.one_of(
    st.sampled_from(["0.01", "0.005", "0.015", "1.0", "1.33", "1.335", "2.0", "3.14159"]),
    st.floats(0.001, 9.0).map(repr),
)
programmes = st.builds(
    Programme,
    threshold=thresholds,
    tick_s=st.sampled_from([3.3, 5.0, 7.0, 60.0, 61.0, 299.0, 300.0, 301.0, 900.0]),
    start_ms=st.sampled_from([0, 1, 250, 999]),
    after_s=st.sampled_from([0.0, 0.3, 60.0, 61.7]),
    ramp_s=st.sampled_from([0.0, 0.4, 30.0, 200.0, 333.3]),
    mix=st.sampled_from(sorted(MIXES)),
    load=st.sampled_from(LOADS),
    baseline=st.sampled_from(["", "4.4449", "7.0", "0.005"]),
    seed=st.integers(0, 1000),
)


@settings(max_examples=8)
@given(programme=programmes)
def test_a_project_that_can_deliver_is_not_in_violation(
    tmp_path_factory: pytest.TempPathFactory, programme: Programme
) -> None:
    judged(programme, tmp_path_factory.mktemp("promise"))


@pytest.mark.parametrize(
    ("threshold", "mix"),
    [(one, "battery") for one in ("0.5", "1.0", "1.33", "2.0")] + [("1.33", "everything")],
)
@pytest.mark.parametrize("tick_s", [5.0, 60.0, 900.0])
def test_thresholds_and_ticks(tmp_path: Path, threshold: str, tick_s: float, mix: str) -> None:
    judged(Programme(threshold, tick_s, 250, 60.0, 0.0, mix), tmp_path)


def test_readings_at_a_longer_interval_are_judged_alike(tmp_path: Path) -> None:
    judged(Programme("1.333", 1.0, 0, 60.0, 30.0, report_every_s=10.0), tmp_path)
