"""Demand-response events: what is asked, what is delivered, and how it is settled."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import Batch
from gridsim.config.resolve import Flags
from gridsim.contracts.results import Settlement, TickResult
from gridsim.running.engine import Engine
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from gridsim.text.events import change_line
from tests.fixtures.resumed import resumed

CONFIG = Path(__file__).parents[2] / "configs" / "dr-event.toml"
START_MS = 1_782_936_000_000  # 2026-07-01T20:00:00Z
WINDOW_MS = 300_000
AFTERNOON_TICK_MS = 10_000

HEAD = """
[simulation]
seed = 7
tick_s = {tick_s}
start = 2026-07-01T20:00:00Z

[site]
timezone = "America/Moncton"

[weather]
type = "clear"

[[transports]]
type = "stdout"
"""


def home(name: str, *, threshold: float = 2.0, battery: str = "", load: str = "") -> str:
    """A project with a battery that can do everything that is asked of it in these tests."""
    contract = f"contract_threshold = {threshold}" if threshold else ""
    load = load or '{ type = "household", annual_kwh = 9000 }'
    return f"""
[[projects]]
id = "{name}"
{contract}
load = {load}

[[projects.ders]]
id = "{name}_BAT"
type = "battery"
nameplate_capacity = 12.0
energy_capacity_kwh = 40.0
initial_soc = 80
losses = "ideal"
{battery}
"""


FLAT = '{ type = "constant", kw = 3.0 }'


def event(name: str = "peak", **settings: Any) -> str:
    settings = {"after_s": 60, "duration_s": 1200, **settings}
    lines = [f"{key} = {value}" for key, value in settings.items() if value is not None]
    return "\n".join(["[[events]]", f'id = "{name}"', *lines, ""])


@dataclass
class Told:
    """What a run brought forth."""

    settlements: list[Settlement] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)

    def take(self, outcome: TickResult) -> None:
        self.settlements += outcome.settlements
        self.notes += [(len(self.batches), change_line(one)) for one in outcome.changes]
        self.batches.append(outcome.batch)

    def column(self, name: str) -> Any:
        """float64[ticks, devices]"""
        return np.array([getattr(batch, name) for batch in self.batches])


Run = Callable[..., Told]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(text: str, *, ticks: int = 300, tick_s: float = 5.0, finish: bool = False) -> Told:
        simulation, told = made(tmp_path, text, tick_s), Told()
        for _ in range(ticks):
            told.take(simulation.advance())
        if finish:
            told.take(simulation.finish())
        return told

    return run


def made(folder: Path, text: str, tick_s: float = 5.0) -> Simulation:
    path = folder / "config.toml"
    path.write_text(HEAD.format(tick_s=tick_s) + text)
    return Simulation(make_plan(Options(config=path)).configuration.scenario)


# From the messages alone ---------------------------------------------------------------------

Series = list[tuple[int, Decimal]]
"""The reduction at each time, ms."""


def reductions(payloads: list[bytes]) -> tuple[dict[str, Series], dict[str, Decimal]]:
    """By project: baseline - (meter - sum of its outputs), and its contract_threshold."""
    output: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    rest: dict[tuple[str, int], Decimal] = {}
    thresholds: dict[str, Decimal] = {}
    for payload in payloads:
        record = json.loads(payload, parse_float=Decimal)
        at = datetime.fromisoformat(record["timestamp"])
        key = (record["project_id"], round(at.timestamp() * 1000))
        output[key] += record["current_output"]
        rest[key] = record["baseline"] - record["power_meter_measurement"]
        thresholds[record["project_id"]] = record["contract_threshold"]
    series: dict[str, Series] = defaultdict(list)
    for (project, time_ms), without in rest.items():
        series[project].append((time_ms, without + output[project, time_ms]))
    return series, thresholds


def delivered_kwh(series: Series, own: Settlement, tick_ms: int) -> Decimal:
    times = range(own.start_ms, own.end_ms)
    total = sum((kw for time_ms, kw in series if time_ms in times), Decimal())
    return total * tick_ms / 3_600_000


def violations(
    series: Series, own: Settlement, threshold: Decimal, tick_ms: int
) -> list[tuple[int, int]]:
    """By the definition: the mean over (max(t - 300 s, t0), t] for t0 + 300 s <= t < end.

    A violation that is not over before ends with the event.
    """
    t0, found = own.settled_ms, list[tuple[int, int]]()
    times = [time_ms for time_ms, _ in series]
    assert times == sorted(times)
    for time_ms, _ in series:
        if not t0 + WINDOW_MS <= time_ms < own.end_ms:
            continue
        since = max(time_ms - WINDOW_MS, t0)
        window = [kw for _, kw in series[bisect_right(times, since) : bisect_right(times, time_ms)]]
        if sum(window) / len(window) < threshold:
            end_ms = min(time_ms + tick_ms, own.end_ms)
            if found and found[-1][1] == time_ms:
                found[-1] = (found[-1][0], end_ms)
            else:
                found.append((time_ms, end_ms))
    return found


@pytest.fixture(scope="module")
def afternoon() -> tuple[Told, Any]:
    """The shipped configuration, two hours of it."""
    overrides = (f"simulation.tick_s={AFTERNOON_TICK_MS / 1000}",)
    plan = make_plan(Options(config=CONFIG, overrides=overrides, flags=Flags(speed=0.0)))
    simulation, told = Simulation(plan.configuration.scenario), Told()
    for _ in range(7_200_000 // AFTERNOON_TICK_MS):
        told.take(simulation.advance())
    told.take(simulation.finish())
    json_format = replace_framing(plan)
    for batch in told.batches:
        told.payloads += json_format.encode(batch).bodies
    return told, plan.configuration.scenario


def replace_framing(plan: Any) -> Any:
    """The plan's json format with a message for each DER."""
    [choice] = plan.configuration.transports
    return choice.format_type(choice.format_settings, "der", plan.configuration.scenario.roster)


def test_whoever_has_the_messages_can_settle_the_events(afternoon: tuple[Told, Any]) -> None:
    told, _ = afternoon
    series, thresholds = reductions(told.payloads)
    assert len(told.settlements) == 16 + 12 + 8 + 16
    some, none = 0, 0
    for own in told.settlements:
        project = own.project_id
        readings = series[project]
        exact = delivered_kwh(readings, own, AFTERNOON_TICK_MS)
        assert own.delivered_kwh == pytest.approx(float(exact), abs=1e-9), own
        expected = violations(readings, own, thresholds[project], AFTERNOON_TICK_MS)
        if own.event == "export_cap":  # it calls for no reduction
            expected = []
        assert list(own.violations) == expected, own
        some += bool(expected)
        none += not expected
    assert some >= 10
    assert none >= 10


def test_compliance_decides_who_is_in_violation(afternoon: tuple[Told, Any]) -> None:
    told, _ = afternoon
    by_event = defaultdict(list)
    for own in told.settlements:
        by_event[own.event].append(own)
    for own in by_event["peak"]:
        assert own.ending == "completed"
        assert 1.1 <= own.compliance <= 1.3
        assert own.violations == ()
    out = [own for own in by_event["peak_broken"] if own.ending == "opted out"]
    assert 0 < len(out) < 6
    assert all(own.dispatched_kwh == 0.0 for own in out)
    for own in by_event["peak_broken"]:
        assert 0.7 <= own.compliance <= 0.9
        if own not in out:
            # From the first reading that is judged to the last, without a break.
            [(first, last)] = own.violations
            assert 0 <= first - (own.settled_ms + WINDOW_MS) < AFTERNOON_TICK_MS
            assert last == own.end_ms
            assert own.delivered_kwh == pytest.approx(own.dispatched_kwh, rel=0.01)


def test_what_physics_cannot_deliver_is_short(afternoon: tuple[Told, Any]) -> None:
    told, _ = afternoon
    for own in told.settlements:
        if own.event == "peak_out_of_reach":
            assert own.delivered_kwh < 0.5 * own.dispatched_kwh
            assert own.violations


# What is asked --------------------------------------------------------------------------------


def net(told: Told, columns: slice = slice(None)) -> Any:
    """What the site draws, float64[ticks]; all devices are its own."""
    output = told.column("current_output")[:, columns].sum(axis=1)
    return told.column("power_meter_measurement")[:, columns][:, 0] - output


def test_the_reduction_goes_there_in_a_straight_line_and_stays(run: Run) -> None:
    battery = 'strategy = "idle"'
    asked = event(ramp_s=300, compliance=1.25)
    told = run(home("A", battery=battery, load=FLAT) + asked, ticks=300)
    reduced = 3.0 - net(told)
    ramp = np.minimum(np.arange(240) / 60, 1.0) * 2.5
    np.testing.assert_allclose(reduced[:12], 0.0, atol=0.005)
    np.testing.assert_allclose(reduced[12:252], np.ceil(ramp * 100 - 1e-6) / 100, atol=1e-9)
    np.testing.assert_allclose(reduced[252:], 0.0, atol=0.005)
    [own] = told.settlements
    assert own.target_kw == 2.0
    assert own.dispatched_kwh == pytest.approx(ramp.sum() * 5 / 3600)


def test_the_ramp_starts_from_what_was_reduced_before(run: Run) -> None:
    """A battery in self-consumption has reduced the load of 3 kW to nothing."""
    told = run(home("A", load=FLAT) + event(ramp_s=300, compliance=0.5), ticks=200)
    ramp = 3.0 - 2.0 * np.clip((np.arange(80) - 12) / 60, 0, 1)
    np.testing.assert_allclose(3.0 - net(told)[:80], np.ceil(ramp * 100 - 1e-6) / 100, atol=1e-9)


def test_a_target_of_its_own_comes_before_the_contract(run: Run) -> None:
    told = run(home("A", load=FLAT) + event(target_kw=4.5), ticks=30)
    assert net(told)[20] == pytest.approx(-1.5)


def test_an_event_is_announced_begins_and_ends(run: Run) -> None:
    homes = home("A") + home("B") + home("C", threshold=1.0)
    told = run(homes + event(after_s=120, notice_s=60, compliance=1.2), ticks=300)
    (announced, first), (began, second), (ended, third) = told.notes
    assert (announced, began, ended) == (12, 24, 264)
    assert first == (
        "event peak: announced for 2026-07-01T20:02:00.000Z, 1 min ahead, to 3 projects"
    )
    assert second == "event peak: begins, 20 min, 3 projects, target 5.00 kW"
    assert third == "event peak: ended, 2.00 of 1.67 kWh delivered by 3 projects, 0 in violation"
    assert {own.notice_ms for own in told.settlements} == {START_MS + 60_000}


def test_chance_is_each_projects_own(run: Run) -> None:
    homes = home("H{n:03}", load=FLAT).replace("\ncontract", "\ncount = 120\ncontract", 1)
    homes = homes.replace("H{n:03}_BAT", "{project_id}_BAT")
    asked = event(
        projects='["H*"]',
        randomize_start_s=300,
        opt_out=0.3,
        compliance="{ uniform = [0.5, 1.5] }",
        target_kw="{ uniform = [1.0, 2.0] }",
    )
    plain, told = run(homes, ticks=320), run(homes + asked, ticks=320)
    assert len(told.settlements) == 120
    start = np.array([own.start_ms for own in told.settlements]) - START_MS - 60_000
    assert start.min() >= 0
    assert start.max() <= 300_000
    assert np.ptp(start) > 250_000
    assert all(own.end_ms - own.start_ms == 1_200_000 for own in told.settlements)
    places = {f"H{n:03}": n - 1 for n in range(1, 121)}
    out = [places[own.project_id] for own in told.settlements if own.ending == "opted out"]
    assert 20 < len(out) < 55
    output, before = told.column("current_output"), plain.column("current_output")
    np.testing.assert_array_equal(output[:, out], before[:, out])
    stays = np.delete(np.arange(120), out)
    assert (output[:, stays] != before[:, stays]).any(axis=0).all()
    assert len({own.compliance for own in told.settlements}) == 120
    assert len({own.target_kw for own in told.settlements}) == 120
    [begins] = [note for _, note in told.notes if "begins" in note]
    assert f"{len(out)} opted out" in begins

    fewer = run(homes.replace("count = 120", "count = 7") + asked, ticks=320)
    np.testing.assert_array_equal(fewer.column("current_output"), output[:, :7])
    assert [o for o in told.settlements if places[o.project_id] < 7] == fewer.settlements


def test_a_later_event_supersedes_and_the_first_does_not_come_back(run: Run) -> None:
    asked = event("first", compliance=1.2) + event("second", after_s=600, duration_s=300)
    told = run(
        home("A", load=FLAT)
        + home("B", load=FLAT)
        + asked.replace('"second"', '"second"\nprojects = ["A"]'),
        ticks=300,
    )
    by = {(own.event, own.project_id): own for own in told.settlements}
    first, second = by["first", "A"], by["second", "A"]
    assert (first.ending, second.ending) == ("superseded", "completed")
    assert first.end_ms == second.start_ms == START_MS + 600_000
    assert by["first", "B"].ending == "completed"
    assert first.delivered_kwh == pytest.approx(2.4 * 540 / 3600)
    output = told.column("current_output")
    assert output[130, 0] == 2.0
    assert output[200, 0] == output[5, 0] == 3.0  # its own strategy again
    assert output[200, 1] == 2.4
    assert told.notes[-1][1].endswith("2 projects, 0 in violation, 1 superseded")


@pytest.mark.parametrize("notice_s", [0, 600])
def test_of_two_that_begin_within_a_tick_the_later_counts(run: Run, notice_s: int) -> None:
    late = event("late", after_s=64, compliance=1.2, notice_s=notice_s)
    for asked in (late + event("early", after_s=61), event("early", after_s=61) + late):
        told = run(home("A", load=FLAT) + asked)
        by = {own.event: own for own in told.settlements}
        assert (by["early"].ending, by["late"].ending) == ("superseded", "completed")
        assert by["early"].end_ms == by["late"].start_ms == START_MS + 64_000
        assert by["early"].delivered_kwh == 0.0
        assert told.column("current_output")[100, 0] == 2.4


def test_who_opts_out_of_a_later_event_stays_in_the_first(run: Run) -> None:
    asked = event("first", compliance=1.2) + event("second", after_s=600, opt_out=1.0)
    told = run(home("A", load=FLAT) + asked, ticks=400)
    assert [(own.event, own.ending) for own in told.settlements] == [
        ("first", "completed"),
        ("second", "opted out"),
    ]


def test_the_end_of_a_run_cuts_off_what_still_runs(run: Run) -> None:
    asked = event() + event("later", after_s=3600, notice_s=3600)
    told = run(home("A", load=FLAT) + asked, ticks=100, finish=True)
    [own] = told.settlements
    assert (own.event, own.ending) == ("peak", "interrupted")
    assert own.end_ms == START_MS + 500_000
    assert own.delivered_kwh == pytest.approx(2.0 * 440 / 3600)
    assert told.notes[-1][1].startswith("event peak: cut off, ")
    assert len(told.batches[-1]) == 0


def test_an_event_that_ends_with_the_run_is_complete(run: Run) -> None:
    told = run(home("A", load=FLAT) + event(duration_s=440), ticks=100, finish=True)
    assert [own.ending for own in told.settlements] == ["completed"]


def test_standalone_projects_are_never_dispatched(run: Run) -> None:
    alone = home("LONE", threshold=0).replace("load =", "standalone = true\nload =")
    plain, told = run(home("A") + alone), run(home("A") + alone + event(compliance=1.3))
    output, before = told.column("current_output"), plain.column("current_output")
    np.testing.assert_array_equal(output[:, 1], before[:, 1])
    assert (output[:, 0] != before[:, 0]).any()
    assert [own.project_id for own in told.settlements] == ["A"]


def test_another_project_changes_nothing_of_the_first(run: Run) -> None:
    """Not in an event, and not beside one."""
    asked = event(projects='["A"]', compliance=0.9) + event("cap", import_limit_kw=2.0).replace(
        "after_s", 'projects = ["B"]\nafter_s'
    )
    mixed = (
        home("B", battery='strategy = "idle"')
        + """
[[projects.ders]]
id = "B_PV"
type = "solar"
managed = true
nameplate_capacity = 6.0
"""
    )
    alone = run(home("A") + event(projects='["A"]', compliance=0.9))
    both = run(home("A") + mixed + asked)
    beside = run(home("A") + mixed)
    np.testing.assert_array_equal(
        both.column("current_output")[:, 0], alone.column("current_output")[:, 0]
    )
    plain = run(home("A"))
    np.testing.assert_array_equal(
        beside.column("current_output")[:, 0], plain.column("current_output")[:, 0]
    )
    assert both.settlements[0] == alone.settlements[0]


def test_a_checkpoint_in_the_middle_of_an_event_goes_on_alike(tmp_path: Path) -> None:
    """Also one between the notice and the start, of an event by cron."""
    asked = event(ramp_s=200, compliance=0.9, randomize_start_s=60, opt_out=0.2) + event(
        "daily", after_s=None, cron='"8 17 * * *"', notice_s=600, duration_s=200
    )
    text = home("A") + home("B") + home("C") + asked
    simulation = made(tmp_path, text)
    for _ in range(60):
        simulation.advance()
    copy = resumed(simulation, made(tmp_path, text))
    ends = 0
    for _ in range(240):
        one, other = simulation.advance(), copy.advance()
        assert one.settlements == other.settlements
        assert one.changes == other.changes
        np.testing.assert_array_equal(one.batch.current_output, other.batch.current_output)
        ends += len(one.settlements)
    assert ends == 6


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_cron_goes_by_simulated_time_at_every_speed(tmp_path: Path, speed: float) -> None:
    """Half past the hour of the site, 17:30 in Moncton: 20:30 UTC."""
    asked = event(after_s=None, cron='"*/30 17 * * *"', compliance=1.2, duration_s=300)

    def at(speed: float) -> tuple[list[Settlement], list[list[float]]]:
        told, now = Told(), [50.0]
        engine = Engine(
            made(tmp_path, home("A") + asked),
            told.take,
            tick_s=5.0,
            speed=speed,
            ticks=440,
            monotonic=lambda: now[0],
        )
        if not speed:
            engine.run_free()
        while not engine.finished.is_set():
            engine.run_due()
            now[0] += 1.7 * engine.wake_s
        assert engine.error is None
        return told.settlements, told.column("current_output").tolist()

    settlements, output = at(0.0)
    assert [own.event for own in settlements] == ["peak", "peak#2"]
    assert [own.start_ms - START_MS for own in settlements] == [0, 1_800_000]
    assert at(speed) == (settlements, output)


# Limits ---------------------------------------------------------------------------------------

ROOF = """
[[projects.ders]]
id = "{0}_PV{1}"
type = "solar"
managed = {2}
nameplate_capacity = {3}
"""


def test_an_export_limit_holds_and_batteries_fill_before_the_sun_is_turned_down(run: Run) -> None:
    # A smooth load: a kettle would take all that is left over.
    smooth = '{ type = "household", annual_kwh = 9000, appliances = false }'
    text = home("A", battery='strategy = "idle"', load=smooth)
    text = text.replace("initial_soc = 80", "initial_soc = 94")
    text += ROOF.format("A", 1, "true", 9.0) + ROOF.format("A", 2, "false", 1.5)
    cap = event(duration_s=7200, export_limit_kw=1.0)
    free, told = (run(one, ticks=467, tick_s=15.0) for one in (text, text + cap))
    during = slice(4, 467)
    assert (net(free)[during] < -1.5).mean() > 0.9
    assert net(told)[during].min() >= -1.0 - 0.011
    battery_kw, managed, unmanaged = told.column("current_output")[during].T
    available = free.column("current_output")[during, 1]
    np.testing.assert_array_equal(unmanaged, free.column("current_output")[during, 2])
    curtailed = managed < available - 0.02
    soc = told.column("current_soc")[during, 0]
    # First it charges and the sun stays; then, the fuller it is, the more the sun is turned down.
    assert battery_kw.min() < -3.0
    assert not curtailed[:33].any()
    assert curtailed[-33:].all()
    # Within the last tenth of its capacity a battery charges ever slower.
    able = np.minimum(12.0 * (100.0 - soc) / 10.0, 12.0)
    assert (-battery_kw[curtailed] > able[curtailed] - 0.1).all()
    assert told.settlements == []
    # Where the sun is turned down, it is not by more than is needed.
    np.testing.assert_allclose(net(told)[during][curtailed], -1.0, atol=0.03)


def test_an_import_limit_pauses_a_car(run: Run) -> None:
    text = """
[[projects]]
id = "A"
load = { type = "constant", kw = 2.0 }
[[projects.ders]]
id = "A_EV{n}"
type = "ev_charger"
count = 6
managed = true
nameplate_capacity = 7.2
"""
    cap = event(duration_s=5 * 3600, import_limit_kw=3.0)
    free, told = (run(one, ticks=500, tick_s=30.0) for one in (text, text + cap))
    before, during = net(free)[2:], net(told)[2:]
    assert before.max() > 9.0
    assert during.max() <= 3.0 + 0.01
    output = told.column("current_output")[2:]
    assert ((output == 0.0) & (free.column("current_output")[2:] < -5.0)).any()
    # With a limit alone nothing was promised, and nothing is in violation.
    outcome = run(text + event(duration_s=600, import_limit_kw=3.0), ticks=200)
    assert [(own.target_kw, own.violations) for own in outcome.settlements] == [(0.0, ())]


def test_a_limit_may_stand_beside_a_reduction(run: Run) -> None:
    asked = event(target_kw=8.0, export_limit_kw=2.0)
    told = run(home("A", load=FLAT) + asked, ticks=60)
    assert net(told)[30] == pytest.approx(-2.0)
