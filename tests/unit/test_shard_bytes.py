"""The bytes that the shards of a run publish for each device are those of one run."""

from __future__ import annotations

from pathlib import Path

from gridsim.api import Shard
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from tests.fixtures.runs import HEAD, HOMES

FILES = """
type = "file"
path = "json/{der_id}"
[[transports]]
type = "file"
path = "project/{project_id}"
framing = "project"
format = { type = "json", extra_fields = ["seq", "power_factor", "voltage"] }
[[transports]]
type = "file"
path = "csv/{der_id}"
format = "csv"
"""
FAULTS = """
[[faults]]
type = "malformed"
probability = 0.3
[[faults]]
type = "truncate"
probability = 0.2
[[faults]]
type = "duplicate"
probability = 0.2
[[faults]]
type = "noise"
ders = ["HOME_2*"]
absolute = 0.2
[[faults]]
type = "delay"
delay_s = 40
probability = 0.2
[[events]]
id = "noon"
after_s = 20
duration_s = 40
randomize_start_s = 30
"""


def published(shard: Shard, folder: Path) -> dict[str, bytes]:
    content = HEAD.replace('type = "stdout"', FILES) + HOMES + FAULTS
    options = Options(folder / "x.toml", "1m", content=content, shard=shard)
    with Run(make_plan(options)) as run:
        assert run.wait(20)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_shards_publish_the_bytes_of_one_run(tmp_path: Path) -> None:
    whole = published(Shard(0, 1), tmp_path / "whole")
    assert len(whole) == 15
    parts: dict[str, bytes] = {}
    for index in range(2):
        part = published(Shard(index, 2), tmp_path / str(index))
        assert not parts.keys() & part.keys()
        parts |= part
    assert parts == whole
