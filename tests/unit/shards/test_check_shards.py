"""A run with shards that cannot be made is refused before anything starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridsim.api import Shard
from gridsim.errors import UsageError
from gridsim.running.inbox import RecordedInbox
from gridsim.running.plan import Options, make_plan
from gridsim.running.shards.opening import check_shards
from gridsim.text.plan import plan_lines

CONFIG = """
[simulation]
start = "2026-07-01"
[weather]
type = "clear"
[[projects]]
id = "H_{n}"
count = 2
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 5.0
[[transports]]
type = "file"
path = "{shard}"
[execution]
engine = "processes"
"""


def options(tmp_path: Path, *overrides: str) -> Options:
    config = tmp_path / "fleet.toml"
    config.write_text(CONFIG)
    return Options(config=config, overrides=overrides)


def test_what_shards_cannot_do_is_refused_before_the_run(tmp_path: Path) -> None:
    check_shards(make_plan(options(tmp_path, "execution.shards=2")))
    for override, said in (
        ("execution.shards=3", "3 shards need at least 3 projects, and the configuration has 2"),
        ('transports=[{type="stdout"}]', "cannot share standard output"),
    ):
        with pytest.raises(UsageError, match=said):
            check_shards(make_plan(options(tmp_path, override)))
        check_shards(make_plan(options(tmp_path, override, 'execution.engine="local"')))
    resumed = replace(options(tmp_path, 'checkpoint.path="ck-{shard}"'), resume=True)
    with pytest.raises(UsageError, match="--resume --shard 0/2 to --resume --shard 1/2,"):
        check_shards(make_plan(resumed))
    check_shards(make_plan(replace(options(tmp_path, "execution.shards=9"), shard=Shard(1, 2))))


def test_the_plan_says_whether_there_are_shards(tmp_path: Path) -> None:
    several, local = (
        "shards: 2, engine processes",
        'no shards: 2 need engine = "processes" or "ray"',
    )
    for engine, shards, said in (
        ("processes", "2", several),
        ("local", "2", local),
        ("local", '"auto"', ""),
    ):
        overrides = f"execution.shards={shards}", f'execution.engine="{engine}"'
        text = "\n".join(plan_lines(make_plan(options(tmp_path, *overrides))))
        assert said in text
        assert ("shards" in text) is bool(said)


def test_a_repeat_with_shards_is_refused_by_name(tmp_path: Path) -> None:
    plan = make_plan(replace(options(tmp_path), adapt=lambda document: document))
    with pytest.raises(UsageError, match="--repeat: error: needs one process"):
        check_shards(replace(plan, recorded=RecordedInbox({})))
    with pytest.raises(UsageError, match="a configuration that can be read again"):
        check_shards(plan)
