"""The same configuration on every engine: the same bytes per device, aggregates and events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ray.fleet import FLEET, digests, engine, finished, gridsim, records, rows

SETTLED = "SELECT * FROM settlements ORDER BY event, project"
AGGREGATES = (
    "SELECT tick, count(*), sum(current_output), sum(power_meter_measurement), sum(current_soc) "
    "FROM readings GROUP BY tick ORDER BY tick"
)


def simulated(folder: Path, *arguments: str) -> dict[str, Any]:
    folder.mkdir()
    (folder / "fleet.toml").write_text(FLEET)
    output = finished(gridsim(folder, "--duration", "5h", *arguments))
    return {
        "bytes": digests(folder),
        "records": sum(1 for _ in records(folder)),
        "settled": rows(folder, SETTLED),
        "output": output,
    }


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found = simulated(tmp_path_factory.mktemp("local") / "run")
    assert found["records"] > 10_000
    assert found["settled"]
    return found


@pytest.mark.parametrize(
    ("name", "shards"), [("processes", 2), ("ray", 1), ("ray", 2), ("ray", 4), ("ray", 7)]
)
def test_shards_publish_what_one_process_publishes(
    local: dict[str, Any], tmp_path: Path, name: str, shards: int
) -> None:
    found = simulated(tmp_path / "run", *engine(name, shards))
    assert len(list((tmp_path / "run").glob("out-*.jsonl"))) == shards
    for key in ("records", "bytes", "settled"):
        assert found[key] == local[key], key
