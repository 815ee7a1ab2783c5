"""The engine `ray` without Ray, which CI does not install; `make test-ray` has the rest."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from gridsim.contracts.shard import Shard
from gridsim.errors import UsageError
from gridsim.running.plan import Options, make_plan
from gridsim.running.shards.messages import ShardSpec
from gridsim.running.shards.portable import portable
from gridsim.running.shards.ray_hosts import RayHosts, check_reachable, reason_of
from tests.fixtures.ports import free_port

ROOT = Path(__file__).parents[2]
FLEET = """
[weather]
type = "clear"
[[projects]]
id = "P_{n}"
count = 2
[[projects.ders]]
id = "{project_id}_B"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
[[transports]]
type = "file"
path = "${OUT}/{shard}.jsonl"
"""


def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"ray is not installed: pip install 'gridsim-der\[ray\]'"):
        RayHosts("", 2)


@pytest.mark.parametrize("address", ["ray://10.0.0.5:10001", "10.0.0.5", ":6379", "head:port"])
def test_an_address_has_another_form(address: str) -> None:
    with pytest.raises(UsageError, match='must be "HOST:PORT" of the head'):
        check_reachable(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_an_address_where_nothing_answers_is_named(host: str) -> None:
    address = f"{host}:{free_port()}"
    with pytest.raises(UsageError, match="no Ray cluster answers at"):
        check_reachable(address)


def test_a_shard_needs_no_file_and_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another node has neither; the paths in the configuration stay those of the driver."""
    config = tmp_path / "here" / "fleet.toml"
    config.parent.mkdir()
    config.write_text(FLEET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUT", "readings")
    options = Options(
        config=Path("here/fleet.toml"), shard=Shard(1, 2), overrides=("simulation.seed=7",)
    )
    spec, environment = portable(ShardSpec(options))
    assert environment == {"OUT": "readings"}
    config.unlink()
    monkeypatch.chdir("/")
    plan = make_plan(spec.options)
    assert plan.configuration.scenario.roster.project_id == ["P_2"]
    assert plan.configuration.simulation.seed == 7
    path = plan.configuration.transports[0].settings.model_dump()["path"]
    assert path == str(tmp_path / "here/readings/1-of-2.jsonl")


def test_the_job_for_kuberay_has_a_configuration_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yaml: Any = pytest.importorskip("yaml")
    text = (ROOT / "examples/kubernetes/rayjob.yaml").read_text()
    config_map, job = yaml.safe_load_all(text)
    for name in ("MQTT_USERNAME", "MQTT_PASSWORD"):
        monkeypatch.setenv(name, "x")
    fleet = config_map["data"]["fleet.toml"].replace("count = 100000", "count = 9")
    configuration = make_plan(Options(tmp_path / "x.toml", content=fleet)).configuration
    execution = configuration.execution
    assert (execution.engine, execution.address) == ("ray", "auto")
    cluster = job["spec"]["rayClusterSpec"]
    workers = cluster["workerGroupSpecs"][0]
    assert execution.shards == workers["replicas"] * int(workers["rayStartParams"]["num-cpus"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (ray,) = [one for one in project["optional-dependencies"]["ray"] if one.startswith("ray")]
    assert Requirement(ray).specifier.contains(cluster["rayVersion"])


def test_the_reason_in_an_error_of_ray_is_one_line() -> None:
    text = "The actor died.\n  Traceback:\n    File x\nModuleNotFoundError: No module named 'x'\n"
    assert reason_of(Exception(text)) == "ModuleNotFoundError: No module named 'x'"
    assert reason_of(Exception("is gone\nmore")) == "is gone"
    assert reason_of(KeyError()) == "KeyError"
