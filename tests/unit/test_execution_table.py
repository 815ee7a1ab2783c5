"""`[execution]`: its settings, the machines of a run, and the real time of its first tick."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gridsim.api import Command, Shard, Target
from gridsim.cli.shared import options_of
from gridsim.config.resolve import Flags
from gridsim.config.text.report import ConfigError
from gridsim.errors import UsageError
from gridsim.running.plan import Options, make_plan
from gridsim.running.recovery import schedule_from
from gridsim.running.run import Run
from gridsim.running.shards.opening import cpu_limit, usable_cores

NOON_MS = 1_782_907_200_000

HOMES = """
[simulation]
start = "2026-07-01T12:00:00Z"
[weather]
type = "clear"
[[projects]]
id = "HOME_{n}"
count = 5
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 5.0
"""


BROKER = """
[[transports]]
type = "mqtt"
port = 0
host = "embedded"
[[sources]]
type = "mqtt"
host = "embedded"
"""


def test_shards_on_other_machines_do_not_reach_the_embedded_broker() -> None:
    for options in (
        Options(content=HOMES + BROKER, shard=Shard(0, 2)),
        Options(content=HOMES + BROKER + "[execution]\nengine = 'ray'\naddress = 'auto'"),
    ):
        with pytest.raises(ConfigError) as error:
            make_plan(options)
        assert len(error.value.problems) == 2
        for problem in error.value.problems:
            assert problem.message.startswith("'host': ")
            assert "the embedded broker serves this machine only" in problem.message
    for options in (
        Options(content=HOMES + BROKER, shard=Shard(0, 1)),
        Options(content=HOMES + BROKER, shard=Shard(0, 2), shares_machine=True),
        Options(content=HOMES + BROKER + "[execution]\nengine = 'ray'"),
        Options(content=HOMES + BROKER + "[execution]\naddress = 'auto'"),
    ):
        make_plan(options).close()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("engine = 'rays'", "'engine' must be"),
        ("shards = 0", "'shards' must be 'auto' or at least 1"),
        ("shards = 100_001", "'shards' must be 'auto' or at most 100000"),
        ("shards = 'all'", "'shards' must be 'auto' or a whole number"),
        ("epoch = 'now'", "'epoch' must be \"start\", a time such as"),
        ("epoch = 'noon'", "'epoch' must be \"start\", a time such as"),
        ("epoch = '2026-07-01T12:00:00'", "'epoch' has no offset from UTC"),
        ("workers = 2", "'workers' is not a setting of [execution]"),
    ],
)
def test_wrong_settings_of_the_execution_are_refused(setting: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        make_plan(Options(content=f"{HOMES}[execution]\n{setting}"))
    (problem,) = error.value.problems
    assert message in problem.message


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [("", None), ("start", NOON_MS), ("2026-07-01T12:00:01+00:00", NOON_MS + 1000)],
)
def test_the_epoch_is_the_real_time_of_the_first_tick(epoch: str, expected: int | None) -> None:
    plan = make_plan(Options(content=f"{HOMES}[execution]\nepoch = '{epoch}'\nshards = 3"))
    assert plan.configuration.epoch_ms == expected
    flagged = make_plan(Options(content=HOMES, flags=Flags(epoch=epoch or None)))
    assert flagged.configuration.epoch_ms == expected


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000\n", None), ("150000 100000\n", 1.5), ("1000 0", None), ("", None), (None, None)],
)
def test_a_container_may_have_a_limit_of_processor_time(
    text: str | None, cores: float | None, tmp_path: Path
) -> None:
    path = tmp_path / "cpu.max"
    if text is not None:
        path.write_text(text)
    assert cpu_limit(path) == cores
    assert usable_cores() >= 1


@pytest.mark.parametrize(
    ("since_s", "tick", "ticks", "present"),
    [
        (-60.0, 0, None, 0),
        (-0.001, 0, None, 0),
        (0.0, 0, None, 1),
        (1.999, 0, None, 1),
        (2.0, 0, None, 2),
        (2.0, 5, None, 5),
        (60.0, 5, None, 31),
        (60.0, 5, 10, 10),
        (60.0, 5, 5, 5),
    ],
)
def test_a_late_shard_catches_up_with_the_ticks_that_are_due(
    since_s: float, tick: int, ticks: int | None, present: int
) -> None:
    place = schedule_from(since_s, 2.0, tick, ticks)
    assert place.present == present
    assert place.behind_s == since_s - 2.0 * tick


def test_instructions_wait_until_a_late_run_has_caught_up() -> None:
    """They take effect in the present, not in the past."""
    epoch = datetime.fromtimestamp(time.time() - 5, UTC).isoformat()
    tables = f"[execution]\nepoch = '{epoch}'\n[[transports]]\ntype = 'stdout'"
    run = Run(make_plan(Options(content=HOMES + tables, duration="5s")))
    command = Command(Target("HOME_1", "HOME_1_PV"), "c", "disconnect")
    assert run.post(command)
    with run:
        assert run.wait(20)
    status = run.status()
    assert (status.tick, status.late_ticks, status.worst_lag_s) == (5, 0, 0.0)
    assert status.instructions.waiting == 1


def test_a_run_waits_for_its_epoch() -> None:
    epoch = datetime.fromtimestamp(time.time() + 3600, UTC).isoformat()
    tables = f"[execution]\nepoch = '{epoch}'\n[[transports]]\ntype = 'stdout'"
    with Run(make_plan(Options(content=HOMES + tables))) as run:
        status = run.status()
        assert (status.tick, status.behind_s, status.ticking) == (0, 0.0, True)


def test_an_epoch_of_the_command_line_is_not_empty() -> None:
    with pytest.raises(UsageError, match='--epoch: error: must be "start" or a time'):
        options_of(None, None, None, epoch="")
    assert options_of(None, None, None).flags.epoch is None
