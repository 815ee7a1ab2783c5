"""Each shipped day is an ordinary configuration, and has something to get right."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from gridsim.check.comparing import Exported, assess
from gridsim.check.days import NamedDay, shipped_days
from gridsim.check.listing import list_lines
from gridsim.check.main import CheckOptions, check
from gridsim.check.settings import Promises, SystemSettings
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from gridsim.text.progress import Progress

DAYS = list(shipped_days().values())
CONFIGS = Path(__file__).parents[2] / "configs" / "days"


def test_the_days_are_those_of_the_folder_of_configurations() -> None:
    assert len(DAYS) == 14
    assert sorted(path.name for path in CONFIGS.iterdir()) == [day.path.name for day in DAYS]
    for day in DAYS:
        assert day.path.resolve() == CONFIGS / day.path.name


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.name)
def test_a_day_runs_to_its_end_and_settles_an_event(day: NamedDay) -> None:
    plan = make_plan(Options(day.path), files="none")
    assert plan.ticks is not None
    assert [one.name for one in plan.transports] == ["mqtt"]
    seconds = plan.ticks * plan.configuration.tick_ms / 1000 / plan.configuration.simulation.speed
    assert 2.5 <= seconds <= 4
    plan.close()
    # Ticks of five minutes instead of one save time.
    coarse = make_plan(Options(day.path, overrides=("simulation.tick_s=300",)), files="none")
    assert coarse.ticks is not None
    simulation = Simulation(coarse.configuration.scenario)
    results = [simulation.advance() for _ in range(coarse.ticks)]
    coarse.close()
    settled = [one for result in results for one in result.settlements]
    assert any(abs(one.delivered_kwh) > 0.1 for one in settled)
    # No event lasts beyond the day, so that each is settled, apart from one that is withdrawn.
    events = coarse.configuration.scenario.events
    due = sum(len(event.projects) for event in events if event.id != "withdrawn")
    assert len(settled) >= due


CANCELLED = [
    *[("peak", f"HOME_{n}", "2026-07-14T20:00", "20:25", "cancelled") for n in range(1, 5)],
    *[("short", f"HOME_{n}", "2026-07-14T20:00", "20:30", "superseded") for n in range(5, 9)],
    *[("extended", f"HOME_{n}", "2026-07-14T20:30", "21:10", "completed") for n in range(5, 9)],
]
LEAP = [
    *[("night", f"HOME_{n}", "2028-02-29T03:30", "04:30", "completed") for n in (1, 2)],
    *[("noon", f"HOME_{n}", "2028-02-29T16:00", "17:00", "completed") for n in (1, 2)],
    *[("night#2", f"HOME_{n}", "2028-03-01T03:30", "04:30", "completed") for n in (1, 2)],
]


@pytest.fixture(scope="module")
def conducted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kept folders of two days, with ticks of five minutes, and readings in files."""
    folder = tmp_path_factory.mktemp("check")
    for name in ("cancelled-event", "leap-day"):
        text = shipped_days()[name].path.read_text()
        (folder / f"{name}.toml").write_text(text.replace("tick_s = 60", "tick_s = 300"))
    (folder / "system.toml").write_text(
        "[system]\nspeed = 0\ndays = ['cancelled-event.toml', 'leap-day.toml']\n"
        "export_command = 'cat $(echo $GRIDSIM_START | cut -c-4)-* > $GRIDSIM_RECORDS'\n"
        "[system.broker]\ntype = 'file'\npath = '{date}.jsonl'\n"
    )
    options = CheckOptions(folder / "system.toml", keep=folder / "kept")
    card = check(options, Progress(), lambda line: None)
    assert [(one.outcome, one.reasons) for one in card.results] == [("kept", ()), ("kept", ())]
    return folder / "kept"


@pytest.mark.parametrize(("day", "expected"), [("cancelled-event", CANCELLED), ("leap-day", LEAP)])
def test_the_times_of_its_events_are_those_of_the_day(
    conducted: Path, day: str, expected: list[tuple[str, ...]]
) -> None:
    with (conducted / day / "events.csv").open() as file:
        rows = list(csv.DictReader(file))
    suffix = ":00.000Z"
    assert [
        (
            row["event"],
            row["project_id"],
            row["start"].removesuffix(suffix),
            row["end"].removesuffix(suffix).partition("T")[2],
            row["ending"],
        )
        for row in rows
    ] == expected


class Account:
    """A settlement of a day from its readings, as a back-end makes it."""

    def __init__(self, folder: Path) -> None:
        self.ledger = folder / "ledger.sqlite"
        self.claims = folder / "claims.csv"
        self.rows = [["event", "project_id", "reduction_kwh"]]
        sites: dict[str, dict[str, float]] = {}
        for line in (folder / "records").read_text().splitlines():
            one = json.loads(line)
            times = sites.setdefault(one["project_id"], {})
            meter = one["baseline"] - one["power_meter_measurement"]
            times[one["timestamp"]] = times.get(one["timestamp"], meter) + one["current_output"]
        self.sites = sites

    def settle(self, event: str, project: str, start: str, end: str) -> None:
        """Add the reduction of a project from `start` to `end`; a reading is for 5 minutes."""
        kw = [kw for time, kw in self.sites[project].items() if start <= time < end]
        self.rows.append([event, project, str(sum(kw) / 12)])

    def broken(self) -> tuple[str, ...]:
        with self.claims.open("w", newline="") as file:
            csv.writer(file).writerows(self.rows)
        exported = Exported(records=None, settlement=self.claims)
        return assess(self.ledger, "mqtt", exported, SystemSettings(), Promises()).broken


def settled(folder: Path, rows: Sequence[tuple[str, ...]], late: str = "") -> Account:
    """Return the account of a day; `late` is a wrong end for events that were cancelled."""
    account = Account(folder)
    for event, project, start, end, ending in rows:
        date = start.partition("T")[0]
        account.settle(
            event, project, start, f"{date}T{late if late and ending == 'cancelled' else end}"
        )
    return account


def test_a_settlement_by_the_true_times_keeps_the_promises(conducted: Path) -> None:
    assert settled(conducted / "cancelled-event", CANCELLED).broken() == ()
    assert settled(conducted / "leap-day", LEAP).broken() == ()


def test_the_planned_end_of_a_cancelled_event_breaks_a_promise(conducted: Path) -> None:
    energy, *homes = settled(conducted / "cancelled-event", CANCELLED, late="21:00").broken()
    assert energy.endswith(" kWh settled wrongly in 4 settlements (0 allowed)")
    assert [line.partition(":")[0] for line in homes] == [f"peak HOME_{n}" for n in range(1, 5)]


def test_a_settlement_of_a_withdrawn_event_breaks_a_promise(conducted: Path) -> None:
    account = settled(conducted / "cancelled-event", CANCELLED)
    account.settle("withdrawn", "HOME_1", "2026-07-14T21:15", "2026-07-14T21:45")
    energy, which = account.broken()
    assert energy.endswith(" kWh settled wrongly in 1 settlement (0 allowed)")
    assert which == "withdrawn HOME_1: there is no such settlement in the ledger"


def test_a_night_that_ends_at_midnight_breaks_a_promise(conducted: Path) -> None:
    cut = [(*row[:3], "04:00" if "night" in row[0] else row[3], row[4]) for row in LEAP]
    energy, *_ = settled(conducted / "leap-day", cut).broken()
    assert energy.endswith(" kWh settled wrongly in 4 settlements (0 allowed)")


def test_each_day_is_listed_with_one_short_sentence() -> None:
    lines = list(list_lines())
    assert [line.split()[0] for line in lines] == [day.name for day in DAYS]
    assert lines[7] == (
        "heat-wave                A hot afternoon with a peak event from 17:00 to 18:30"
    )
    assert max(map(len, lines)) <= 100


def test_the_duration_of_a_configuration_gives_way_to_the_flag() -> None:
    day = shipped_days()["heat-wave"]
    for duration, ticks in ((None, 180), ("2m", 2)):
        plan = make_plan(Options(day.path, duration=duration), files="none")
        assert plan.ticks == ticks
        plan.close()
