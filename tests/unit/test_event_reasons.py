"""Each settlement has the reason why its project fell short, and the log names the worst."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from gridsim.api import Command, Target
from gridsim.contracts.results import EventTotals, Settlement
from gridsim.contracts.settlements import Settlements
from gridsim.simulation.demand_response.shortfall import Ability, ShortfallAccount
from gridsim.simulation.step import Simulation
from gridsim.text.events import change_lines
from tests.unit.events.homes import FLAT, event, home, made

ROOF = """
[[projects]]
id = "ROOF"
contract_threshold = 3.0
[[projects.ders]]
id = "ROOF_PV"
type = "solar"
nameplate_capacity = 2.0
"""


def settled(
    simulation: Simulation, *commands: Command, ticks: int = 300
) -> tuple[dict[str, Settlement], list[str]]:
    """The settlements by project, and the lines of the log."""
    settlements, lines = dict[str, Settlement](), list[str]()
    for index in range(ticks):
        result = simulation.advance(commands if index == 0 else ())
        settlements |= {own.project_id: own for own in result.settlements}
        lines += [line for change in result.changes for line in change_lines(change, "UTC")]
    return settlements, lines


def small(name: str, kwh: float) -> str:
    return home(name, load=FLAT).replace(
        "energy_capacity_kwh = 40.0", f"energy_capacity_kwh = {kwh}"
    )


def test_reasons_of_projects(tmp_path: Path) -> None:
    text = home("GOOD", load=FLAT) + small("EMPTY", 0.5)
    text += home("WEAK", load=FLAT).replace("nameplate_capacity = 12.0", "nameplate_capacity = 1.2")
    text += home("HELD", load=FLAT) + ROOF
    ordered = Command(Target("HELD", "HELD_BAT"), "c-1", "set_power", 0.5)
    by, lines = settled(made(tmp_path, text + event()), ordered)
    assert {name: own.reason for name, own in by.items() if name != "EMPTY"} == {
        "GOOD": "",
        "WEAK": "asked 2.00, able 1.20 kW",
        "HELD": "under a command: asked 2.00, able 0.50 kW",
        "ROOF": by["ROOF"].reason,
    }
    assert by["ROOF"].reason.startswith("no flexible DER: asked 3.00, able ")
    empty = by["EMPTY"]
    assert empty.asked_kw == 2.0
    # What it had above its reserve of 10 % lasts for less than the 20 minutes.
    assert 0.4 < empty.able_kw < 1.2
    assert empty.reason == f"battery empty: asked 2.00, able {empty.able_kw:.2f} kW"
    assert by["GOOD"].able_kw == by["GOOD"].asked_kw == 2.0
    assert by["WEAK"].able_kw == pytest.approx(1.2)
    short = [line for line in lines if "fell short" in line]
    assert len(short) == 4
    found = [re.fullmatch(r"event peak: (\w+) fell short by ([\d.]+) kWh \((.*)\)", one)
             for one in short[:3]]  # fmt: skip
    missed = [float(one[2]) for one in found if one]
    assert missed == sorted(missed, reverse=True)
    assert len(missed) == 3
    assert short[3] == "event peak: 1 more fell short; the ledger has their reasons"


def test_a_project_that_stays_away_is_in_violation_everywhere(tmp_path: Path) -> None:
    """A back-end judges by readings, so the log counts what the ledger has."""
    idle = home("A", battery='strategy = "idle"', load=FLAT)
    by, lines = settled(made(tmp_path, idle + event(opt_out=1.0)))
    assert by["A"].reason == "opted out"
    [(_, end_ms)] = by["A"].violations
    assert end_ms == by["A"].end_ms
    assert (
        lines[-1] == ("event peak: ended, 0 projects, 1 opted out")
        or "1 in violation (1 of them opted out)" in lines[-1]
    )


def test_a_compliance_below_one_is_the_reason(tmp_path: Path) -> None:
    by, _ = settled(made(tmp_path, home("A", load=FLAT) + event(compliance=0.8)))
    assert by["A"].reason == "compliance 0.80: asked 1.60 kW"


IN_SUMMER = """
[[projects]]
id = "SHEDS"
contract_threshold = 1.0
load = { type = "constant", kw = 1.0 }
[[projects.ders]]
id = "SHEDS_HP"
type = "heat_pump"
nameplate_capacity = 3.0
"""
SET = """
[[projects]]
id = "STARTS"
contract_threshold = 2.0
load = { type = "constant", kw = 1.0 }
[[projects.ders]]
id = "STARTS_GEN"
type = "generator"
nameplate_capacity = 5.0
"""


def test_a_cause_outside_the_devices_is_named(tmp_path: Path) -> None:
    text = home("LIMITED", load=FLAT, threshold=4.0) + home("LOW", load=FLAT) + IN_SUMMER + SET
    text += event("limit", projects='["LIMITED"]', target_kw=4.0, export_limit_kw=0.5)
    text += event("low", projects='["LOW"]', target_kw=1.995)
    text += event("rest", projects='["SHEDS", "STARTS"]')
    by, _ = settled(made(tmp_path, text, tick_s=60.0), ticks=24)
    assert {name: own.reason for name, own in by.items()} == {
        # The load of 3 kW and the 0.5 kW that may be exported.
        "LIMITED": "export limit: asked 4.00, able 3.50 kW",
        "SHEDS": "nothing left to shed: asked 1.00, able 0.00 kW",
        # It delivers nothing for 10 s, and reaches its load 8 s later.
        "STARTS": "its DERs did less in 1 of 20 ticks: asked 2.00, delivered 1.98 kW",
        "LOW": "",
    }
    assert by["LIMITED"].able_kw == pytest.approx(3.5)


def test_a_target_below_the_contract_is_the_reason(tmp_path: Path) -> None:
    text = home("LOW", load=FLAT) + event(target_kw=1.9, duration_s=360)
    by, _ = settled(made(tmp_path, text), ticks=90)
    assert by["LOW"].reason == "target below the contract_threshold: asked 1.90 of 2.00 kW"


def test_a_limit_alone_has_no_reasons(tmp_path: Path) -> None:
    by, lines = settled(made(tmp_path, home("A", load=FLAT) + event(import_limit_kw=0.5)))
    assert by["A"].reason == ""
    assert not any("fell short" in line for line in lines)


def test_settlements_are_a_sequence_and_their_sums_are_those_of_the_rows(tmp_path: Path) -> None:
    text = home("A") + home("B") + home("C") + event(opt_out=0.4, compliance=0.7)
    simulation = made(tmp_path, text + event("second", after_s=600, duration_s=60))
    parts = 0
    for _ in range(300):
        settlements = simulation.advance().settlements
        if not settlements:
            continue
        assert isinstance(settlements, Settlements)
        rows = list(settlements)
        assert settlements == tuple(rows)
        assert [settlements[index] for index in range(-len(rows), len(rows))] == rows + rows
        assert list(settlements[1:]) == rows[1:]
        with pytest.raises(IndexError):
            settlements[len(rows)]
        whole = each = EventTotals()
        for part in settlements.parts:
            whole = whole.plus(part.totals)
        for own in rows:
            each = each.plus(EventTotals.of(own))
        assert whole.delivered_kwh == pytest.approx(each.delivered_kwh)
        assert whole.target_kwh == pytest.approx(each.target_kwh)
        assert whole.in_violation == each.in_violation
        assert (whole.took_part, whole.opted_out) == (each.took_part, each.opted_out)
        assert whole.superseded == each.superseded
        parts += len(settlements.parts)
    assert parts >= 2


def test_a_target_missed_for_some_ticks_is_counted() -> None:
    account, row, asked = ShortfallAccount(1), np.array([0]), np.array([0.33])
    able = Ability(*(np.array([value]) for value in (9.0, 0.0, False, True, *3 * (False,))))
    for hundredths in (33, 32, 34, 33):
        account.add(row, row, asked, np.array([hundredths]), np.zeros(1), able)
    assert account.reason(0, 0.33, 1.0, 0.33) == (
        "below it in 1 of 4 ticks: asked 0.33 kW, on average delivered 0.33 kW"
    )


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (3, "nothing left to shed: asked 0.20, able 0.05 kW"),
        (4, "its DERs did less in 4 of 7 ticks: asked 0.20, delivered -1.69 kW"),
    ],
)
def test_the_most_frequent_cause_is_the_reason(kept: int, reason: str) -> None:
    """A water heater draws 3 kW in an event where its tank would become too cold."""
    account, row, asked = ShortfallAccount(1), np.array([0]), np.array([0.2])
    able = Ability(
        np.zeros(1), np.array([0.95]), *map(np.array, ([False], [True], [False], [False], [True]))
    )
    for tick in range(7):
        reduced = np.array([-300 if tick < kept else 5])
        account.add(row, row, asked, reduced, np.ones(1), able)
    assert account.reason(0, 0.2, 1.0, 0.2) == reason
