"""The Indexed Job of examples/kubernetes: its shards, its configuration, its time to end.

`make kubernetes` checks the manifests against the schemas, and runs the command lines.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Shard
from gridsim.config.resolve import Flags
from gridsim.config.tables.simulation import start_ms
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import FLUSH_S

yaml: Any = pytest.importorskip("yaml")
MANIFEST = Path(__file__).parents[2] / "examples/kubernetes/job.yaml"


def test_the_pods_of_the_job_are_the_shards_of_its_fleet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_map, job = yaml.safe_load_all(MANIFEST.read_text())
    spec = job["spec"]
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    arguments = dict(one.removeprefix("--").partition("=")[::2] for one in container["args"])
    for one in container["env"]:
        monkeypatch.setenv(one["name"], one.get("value", ""))
    fleet = re.sub(r"count = \d+", "count = 9", config_map["data"]["fleet.toml"])
    start = next(one["value"] for one in container["env"] if one["name"] == "GRIDSIM_START")
    projects: list[str] = []
    checkpoints = set()
    for index in range(spec["completions"]):
        shard = Shard.parse(arguments["shard"].replace("$(JOB_COMPLETION_INDEX)", str(index)))
        flags = Flags(start=start, epoch=arguments["epoch"])
        plan = make_plan(
            Options(tmp_path / "x.toml", arguments["duration"], flags, content=fleet, shard=shard)
        )
        configuration = plan.configuration
        assert configuration.epoch_ms == start_ms(start, 0)
        projects += configuration.scenario.roster.project_id
        assert configuration.checkpoint is not None
        checkpoints.add(configuration.checkpoint.path)
    assert projects == [f"HOME_{n:05}" for n in range(1, 10)]
    assert len(checkpoints) == spec["completions"] == spec["parallelism"]
    assert pod["terminationGracePeriodSeconds"] > 2 * FLUSH_S
    mounts = {one["mountPath"] for one in container["volumeMounts"]}
    assert {path.rpartition("/")[0] for path in checkpoints} <= mounts
    assert arguments["config"] == "/etc/gridsim/fleet.toml"
