"""Shards: which projects each has, and how its plan differs from that of the whole run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridsim.api import Shard, Target
from gridsim.config.resolve import Flags
from gridsim.config.text.report import ConfigError
from gridsim.contracts.instructions import FLEET
from gridsim.contracts.shard import WHOLE, projects_of
from gridsim.errors import UsageError
from gridsim.running.plan import Options, Plan, make_plan
from gridsim.running.repeat import make_repeat_plan
from gridsim.running.run import Run
from gridsim.running.sharding import ShardDivision

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


def planned(shard: Shard | None, tables: str, folder: Path) -> Plan:
    plan = make_plan(Options(folder / "x.toml", content=HOMES + tables, shard=shard))
    plan.close()
    return plan


def cuts(count: int, devices: list[int]) -> list[list[int]]:
    return [[*projects_of(Shard(index, count), devices)] for index in range(count)]


@pytest.mark.parametrize(
    ("count", "devices", "expected"),
    [
        (1, [1], [[0]]),
        (1, [3, 1, 2], [[0, 1, 2]]),
        (2, [1, 1, 1, 1], [[0, 1], [2, 3]]),
        (3, [1, 1, 1], [[0], [1], [2]]),
        (2, [1000, 1, 1], [[0], [1, 2]]),
        (2, [1, 1, 1000], [[0, 1], [2]]),
        (3, [1000, 1, 1, 1], [[0], [1], [2, 3]]),
        (3, [1, 1, 1, 1000], [[0, 1], [2], [3]]),
        (3, [1, 1000, 1], [[0], [1], [2]]),
        (3, [2, 1, 1, 2, 2, 1], [[0, 1], [2, 3], [4, 5]]),
        (2, [0, 0], [[0], [1]]),
    ],
)
def test_shards_have_consecutive_projects_and_about_as_many_devices(
    count: int, devices: list[int], expected: list[list[int]]
) -> None:
    assert cuts(count, devices) == expected


@pytest.mark.parametrize("count", [1, 2, 3, 7, 50, 99, 100])
def test_each_project_is_in_one_shard(count: int) -> None:
    devices = [1 + n % 5 for n in range(100)]
    parts = cuts(count, devices)
    assert [place for part in parts for place in part] == [*range(100)]
    assert all(parts)
    sizes = [sum(devices[place] for place in part) for part in parts]
    assert max(sizes) - min(sizes) <= 2 * max(devices)


@pytest.mark.parametrize(("count", "devices"), [(1, []), (2, [5]), (4, [1, 1, 1])])
def test_more_shards_than_projects_are_refused(count: int, devices: list[int]) -> None:
    with pytest.raises(ValueError, match=f"{count} shards need at least {count} projects"):
        projects_of(Shard(0, count), devices)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("4/4", "there is no shard 4: with 4 in all, shards are numbered 0 to 3"),
        ("1/1", "there is no shard 1: with 1 in all, shards are numbered 0$"),
        ("-1/4", "there is no shard -1"),
        ("0/0", "a run has at least 1 shard, not 0"),
        ("0/-1", "a run has at least 1 shard, not -1"),
        ("a/b", "must be INDEX/COUNT"),
        ("/4", "must be INDEX/COUNT"),
        ("1", "must be INDEX/COUNT"),
        ("", "must be INDEX/COUNT"),
        ("1/2/3", "must be INDEX/COUNT"),
        ("1 /2", "must be INDEX/COUNT"),
        ("\u0661/\u0662", "must be INDEX/COUNT"),
    ],
)
def test_a_wrong_shard_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Shard.parse(text)


def test_a_shard_is_parsed() -> None:
    assert [Shard.parse(text) for text in ("0/1", "3/4")] == [WHOLE, Shard(3, 4)]


def test_the_plan_of_a_shard_has_its_projects_only(tmp_path: Path) -> None:
    plan = planned(Shard(1, 2), "[ledger]\n[[transports]]\ntype = 'stdout'", tmp_path)
    ids = ["HOME_3", "HOME_4", "HOME_5"]
    scenario = plan.configuration.scenario
    run = plan.transports[0].transport.run
    assert scenario.roster.project_id == run.roster.project_id == ids
    assert run.shard == Shard(1, 2)
    assert plan.about is not None
    assert plan.about.scenario is scenario
    assert plan.ledger is not None
    assert plan.ledger.path == tmp_path / "out" / "ledger-shard-1-of-2.sqlite"


PATHS = """
[ledger]
path = "{shard}/x.sqlite"
[checkpoint]
path = "checkpoint-{shard}"
[[transports]]
type = "file"
path = "{date}/{shard}.jsonl"
spool = { path = "spool-{shard}.db" }
[[transports]]
type = "parquet"
journal = "journal/{shard}"
[[transports]]
type = "mqtt"
host = "broker.example"
client_id = "fleet"
[[transports]]
type = "mqtt"
host = "broker.example"
client_id = "{shard}.fleet"
[[transports]]
type = "mqtt"
host = "broker.example"
connections = "der"
client_id = "{der_id}"
"""


@pytest.mark.parametrize(
    ("shard", "name", "suffix"), [(None, "0-of-1", ""), (Shard(1, 4), "1-of-4", "-1-of-4")]
)
def test_paths_and_client_ids_have_the_shard(
    shard: Shard | None, name: str, suffix: str, tmp_path: Path
) -> None:
    configuration = planned(shard, PATHS, tmp_path).configuration
    file, parquet, *clients = configuration.transports
    assert file.settings.path == f"{tmp_path}/{{date}}/{name}.jsonl"
    assert file.delivery.spool is not None
    assert configuration.ledger is not None
    assert configuration.checkpoint is not None
    assert [
        file.delivery.spool.path,
        parquet.settings.journal,
        configuration.ledger.path,
        configuration.checkpoint.path,
    ] == [
        f"{tmp_path}/{rest}"
        for rest in (
            f"spool-{name}.db",
            f"journal/{name}",
            f"{name}/x.sqlite",
            f"checkpoint-{name}",
        )
    ]
    ids = [client.settings.client_id for client in clients]
    assert ids == [f"fleet{suffix}", f"{name}.fleet", "{der_id}"]


SHARED = """
[checkpoint]
[[transports]]
type = "file"
spool = { path = "spool.db" }
[[transports]]
type = "parquet"
[[transports]]
type = "file"
path = "{project_id}/{date}.jsonl"
"""


def test_shards_must_not_share_files(tmp_path: Path) -> None:
    planned(Shard(0, 1), SHARED, tmp_path)
    with pytest.raises(ConfigError) as error:
        planned(Shard(0, 2), SHARED, tmp_path)
    keys = [problem.message.partition(":")[0] for problem in error.value.problems]
    assert keys == ["'path'", "'path'", "'path'", "'journal'"]
    assert str(error.value).count("all 2 shards would use") == 4
    assert str(error.value).count("add {shard} to the setting") == 4


@pytest.mark.parametrize(
    ("target", "answering"),
    [
        (Target("HOME_1"), [0]),
        (Target("HOME_2", "HOME_2_PV"), [0]),
        (Target("HOME_5", "HOME_5_PV"), [2]),
        # A topic without the project, in a shard that does not know the DER.
        (Target("", "HOME_3_PV"), [1]),
        (Target("HOME_3", "GHOST"), [1]),
        (Target("GHOST"), [0]),
        (Target("", "GHOST"), [0]),
        (FLEET, [0, 1, 2]),
    ],
)
def test_one_shard_answers_each_instruction(target: Target, answering: list[int]) -> None:
    scenario = make_plan(Options(content=HOMES)).configuration.scenario
    divisions = [ShardDivision(Shard(index, 3), scenario) for index in range(3)]
    assert [place for place, one in enumerate(divisions) if one.is_for(target)] == answering
    assert ShardDivision(WHOLE, scenario).is_for(target)


def test_a_reload_must_not_move_projects_to_other_shards(tmp_path: Path) -> None:
    plan = planned(Shard(0, 2), STDOUT, tmp_path)
    assert plan.options is not None
    make_plan(plan.options, reloads=plan)
    changed = replace(plan.options, content=(HOMES + STDOUT).replace("count = 5", "count = 6"))
    with pytest.raises(UsageError, match="cannot add or remove projects"):
        make_plan(changed, reloads=plan)


STDOUT = "[[transports]]\ntype = 'stdout'"


def test_a_repeat_is_of_the_shard_of_its_ledger(tmp_path: Path) -> None:
    content = f"{HOMES}[ledger]\n{STDOUT}"
    flags = Flags(speed=0.0)
    options = Options(tmp_path / "x.toml", "3s", flags, content=content, shard=Shard(1, 3))
    with Run(make_plan(options)) as run:
        assert run.wait(20)
    ledger = tmp_path / "out" / "ledger-shard-1-of-3.sqlite"
    again = make_repeat_plan(replace(options, duration=None, shard=None), ledger)
    assert again.configuration.scenario.roster.project_id == ["HOME_3"]
    assert again.ticks == 3
    with pytest.raises(UsageError, match="--shard: error: --repeat takes it from the ledger"):
        make_repeat_plan(replace(options, duration=None), ledger)


def test_a_run_with_fewer_projects_than_shards_is_refused(tmp_path: Path) -> None:
    assert len(planned(Shard(4, 5), STDOUT, tmp_path).configuration.scenario.roster) == 1
    with pytest.raises(UsageError, match="--shard: error: 6 shards need at least 6 projects"):
        planned(Shard(0, 6), STDOUT, tmp_path)
