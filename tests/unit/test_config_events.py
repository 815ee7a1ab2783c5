"""`[[events]]`: what is refused, where, and what becomes of what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridsim.simulation.scenario import EventSpec
from gridsim.simulation.schedule import Schedule, cron
from tests.fixtures.config.fakes import configure, report

BASE = """\
[simulation]
start = 2026-07-01T00:00:00Z
scenarios = ["more.toml"]
[[projects]]
id = "HOME_{n}"
count = 3
contract_threshold = 2
[[projects.ders]]
id = "{project_id}_B"
type = "battery"
nameplate_capacity = 1
[[projects]]
id = "SHOP"
[[projects.ders]]
id = "S"
type = "battery"
nameplate_capacity = 1
[[projects]]
id = "LONE"
standalone = true
[[projects.ders]]
id = "L"
type = "battery"
nameplate_capacity = 1
[[transports]]
type = "radio"
"""
HOMES = 'projects = ["HOME_*"]'


def specs(tmp_path: Path, text: str, more: str = "") -> list[EventSpec]:
    (tmp_path / "more.toml").write_text(more)
    return list(configure(tmp_path, BASE + text).scenario.events)


def found(tmp_path: Path, text: str, more: str = "") -> list[str]:
    """The messages with their places, relative to the end of BASE."""
    (tmp_path / "more.toml").write_text(more)
    lines = report(tmp_path, BASE + text).replace(str(tmp_path / "more.toml"), "more.toml")
    return [line for line in lines.splitlines() if ": error: " in line]


def test_an_event_by_itself_asks_for_the_contract(tmp_path: Path) -> None:
    [spec] = specs(tmp_path, f'[[events]]\nid = "e"\n{HOMES}\nafter_s = 60\nduration_s = 900.5\n')
    assert spec.projects.tolist() == [0, 1, 2]
    assert spec.schedule.first_from(0) == 1_782_864_060_000
    assert (spec.duration_ms, spec.reduces, spec.target_kw) == (900_500, True, None)


def test_limits_alone_call_for_no_reduction(tmp_path: Path) -> None:
    """Nor do they need a contract; the standalone project is left out."""
    head = '[[events]]\nid = "e{0}"\nafter_s = 60\nduration_s = 900\n'
    alone, beside, relative = specs(
        tmp_path,
        head.format(1)
        + "export_limit_kw = 0\n"
        + head.format(2)
        + "import_limit_kw = 2\ntarget_kw = { uniform = [1, 2] }\n"
        + head.format(3)
        + HOMES
        + "\nimport_limit_kw = 2\ncompliance = 0.9\n",
    )
    assert alone.projects.tolist() == [0, 1, 2, 3]
    assert (alone.reduces, alone.export_limit_kw, alone.import_limit_kw) == (False, 0.0, None)
    assert (beside.reduces, relative.reduces) == (True, True)
    assert beside.target_kw is not None
    assert relative.target_kw is None


def test_events_of_all_files_count(tmp_path: Path) -> None:
    event = '[[events]]\nid = "{}"\n' + HOMES + '\ncron = "0 17 * * mon"\nduration_s = 900\n'
    events = specs(tmp_path, event.format("a"), event.format("b") + 'timezone = "UTC"\n')
    assert [spec.id for spec in events] == ["a", "b"]
    # Monday, 6 July 2026: 17:00 in Moncton, the site's zone, is 20:00 UTC.
    at = [spec.schedule.first_from(1_782_864_000_000) for spec in events]
    assert at == [1_783_368_000_000, 1_783_357_200_000]
    doubled = found(tmp_path, event.format("a"), event.format("a"))
    assert len(doubled) == 1
    assert doubled[0].startswith("more.toml:2:6: error: the event id 'a' is already taken on line ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("after_s = 1", "'duration_s' is missing"),
        ("duration_s = 60", "the event has no start: give 'start', 'after_s' or 'cron'"),
        (
            'after_s = 1\ncron = "* * * * *"\nduration_s = 60',
            "'cron' and 'after_s' exclude each other",
        ),
        ('cron = "5 pm"\nduration_s = 60', "'cron' must have five fields, such as"),
        (
            "start = 2026-06-30T23:00:00Z\nduration_s = 60",
            "'start' is before the simulation's start",
        ),
        ("after_s = 1\nduration_s = 60\nramp_s = 60", "'ramp_s' must be less than 'duration_s'"),
        (
            "after_s = 1\nduration_s = 60\nnotice_s = 1\ncancel_after_s = 61",
            "'cancel_after_s' must be less than 'notice_s' + 'duration_s', which is 61 s",
        ),
        (
            "after_s = 1\nduration_s = 60\ncancel_after_s = 0",
            "'cancel_after_s' must be greater than 0",
        ),
        ("after_s = 1\nduration_s = 60\nopt_out = 2", "'opt_out' must be at most 1"),
        (
            "after_s = 1\nduration_s = 60\ncomplience = 1.2",
            "'complience' is not a setting of an event; did you mean 'compliance'?",
        ),
        (
            "after_s = 1\nduration_s = 60\ncompliance = { uniform = [-1, 1] }",
            "'compliance' goes down to -1, but must be at least 0",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_is(tmp_path: Path, text: str, message: str) -> None:
    [line] = found(tmp_path, f'[[events]]\nid = "e"\n{HOMES}\n{text}\n')
    assert message in line


def test_who_takes_part_must_be_able_to(tmp_path: Path) -> None:
    event = '[[events]]\nid = "e{}"\nafter_s = 60\nduration_s = 900\n'
    none, alone, without = found(
        tmp_path,
        event.format(1)
        + 'projects = ["HOME_*", "HUT_*"]\n'
        + event.format(2)
        + 'projects = ["LONE"]\n'
        + event.format(3),
    )
    assert none.endswith("there is no project, apart from standalone ones, that matches 'HUT_*'")
    assert alone.endswith("there is no project, apart from standalone ones, that matches 'LONE'")
    assert "the project 'SHOP' has no contract_threshold: give it one, give the event" in without


def test_an_event_in_a_scenario_file_is_located_there(tmp_path: Path) -> None:
    [line] = found(tmp_path, "", '# more\n[[events]]\nid = "a b"\nafter_s = 1\nduration_s = 60\n')
    assert line.startswith("more.toml:3:6: error: 'id' must")


def test_a_number_given_is_a_distribution_of_one_value(tmp_path: Path) -> None:
    [spec] = specs(
        tmp_path,
        f'[[events]]\nid = "e"\n{HOMES}\nafter_s = 1\nduration_s = 60\n'
        "target_kw = 3.5\ncompliance = { uniform = [0.7, 0.9] }\n",
    )
    scenario = configure(tmp_path, BASE).scenario
    keys = scenario.sites.keys[spec.projects]
    assert spec.target_kw is not None
    np.testing.assert_array_equal(spec.target_kw.sample(scenario.draws, "x", keys), 3.5)
    drawn = spec.compliance.sample(scenario.draws, "x", keys)
    assert len(set(drawn.tolist())) == 3
    assert ((drawn > 0.7) & (drawn < 0.9)).all()


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ('cron = "61 * * * *"', "'cron' has '61' as its minute, which goes from 0 to 59"),
        ('cron = "0 17 * * mon-fry"', "'cron' has 'mon-fry' as its day of the week, which goes"),
        ('cron = "0 0 30 2 *"', "'cron' never occurs: there is no such day"),
        ("start = '14 July'", "'start' must be a time such as 2026-07-01T00:00:00-03:00"),
        ("start = 2026-06-30", "'start' is before the simulation's start"),
    ],
)
def test_a_time_that_is_none_is_told_in_plain_words(
    tmp_path: Path, when: str, message: str
) -> None:
    [line] = found(tmp_path, f'[[events]]\nid = "e"\n{HOMES}\n{when}\nduration_s = 900\n')
    assert message in line


def test_an_event_lasts_for_a_tick_at_least(tmp_path: Path) -> None:
    """A shorter one might fall between two readings, or count for more than it lasted."""
    text = f'[[events]]\nid = "e"\n{HOMES}\nafter_s = 0\nduration_s = 0.9\n'
    [line] = found(tmp_path, text)
    assert line.endswith("'duration_s' must be at least a tick, 1 s")


def test_times_and_all_else_are_found_at_once(tmp_path: Path) -> None:
    """Also what is wrong in scenario files, be they no TOML or not there at all."""
    text = f'[[events]]\nid = "e"\n{HOMES}\nafter_s = 1\ncron = "x"\nduration_s = -1\n'
    named = BASE.replace('["more.toml"]', '["gone.toml", "more.toml", "torn.toml"]')
    (tmp_path / "more.toml").write_text('[[events]]\nid = "f"\ncron = "x"\nduration_s = 1\n')
    (tmp_path / "torn.toml").write_text("[[events]\n")
    told = report(tmp_path, named + text + "[site]\nlatitude = 91\n")
    for message in (
        "gone.toml: there is no such file",
        "torn.toml:1:9: error: expected ']]'",
        "more.toml:3:8: error: 'cron' must have five fields",
        "'duration_s' must be greater than 0",
        "'latitude' must be at most 90",
    ):
        assert message in told


@pytest.mark.parametrize(
    ("expression", "hours"),
    # Midnight in Moncton is 03:00 UTC; its clock goes back from 02:00 to 01:00 at 05:00 UTC.
    [("30 1 * * *", [1.5, 26.5]), ("30 * * * *", [0.5, 1.5, 2.5]), ("30 0-1 * * *", [0.5, 1.5])],
)
def test_a_time_of_day_comes_once_in_the_night_when_the_clock_goes_back(
    expression: str, hours: list[float]
) -> None:
    schedule = Schedule(cron=cron(expression, "America/Moncton"))
    begin_ms = time_ms = 1_793_502_000_000  # 2026-11-01T03:00:00Z
    for hour in hours:
        at_ms = schedule.first_from(time_ms)
        assert at_ms == begin_ms + hour * 3_600_000
        time_ms = at_ms + 1


def test_a_name_of_a_file_does_nothing_to_the_terminal(tmp_path: Path) -> None:
    named = BASE.replace('["more.toml"]', r'["a\u0000b.toml", "a\u001B[2Jb.toml"]')
    told = report(tmp_path, named)
    assert "a\\x00b.toml: cannot be read" in told
    assert "a\\x1b[2Jb.toml: there is no such file" in told
    assert told.replace("\n", "").isprintable()
