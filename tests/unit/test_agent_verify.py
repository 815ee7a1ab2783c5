"""The agent's tool `verify` compares readings and settlements with the run's ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from gridsim.agent.client import ApiClient
from gridsim.agent.tools import Tools
from tests.fixtures.ledgers import keep

EVENT = """
[[events]]
id = "peak"
start = 2026-07-01T12:00:02Z
duration_s = 20
"""


class Answering:
    """A client of a run with this ledger."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger

    def get(self, *path: str, **query: Any) -> dict[str, Any]:
        assert path == ("verify",)
        return {"ledger": str(self._ledger)}


def test_verify_has_the_options_of_the_command(tmp_path: Path) -> None:
    kept = keep(tmp_path, more=EVENT)
    tools = Tools(cast("ApiClient", Answering(kept.ledger)))
    held, settled, page = tmp_path / "held.jsonl", tmp_path / "s.csv", tmp_path / "page.html"
    records = [json.loads(line) for line in kept.lines]
    renamed = [{"device" if n == "der_id" else n: v for n, v in r.items()} for r in records]
    held.write_text("\n".join(map(json.dumps, renamed)))
    settled.write_text("event,project_id,reduction_kwh\npeak,HOME_1,99\n")
    found = tools.verify([str(held)], fields={"der_id": "device"}, html=str(page))
    assert (found["outcome"], found["compared"], found["settlements"]) == ("passed", 240, None)
    assert "PASS: no difference" in page.read_text(encoding="utf-8")
    found = tools.verify(expect=str(settled))
    assert found["outcome"] == "failed"
    assert found["settlements"]["compared"] == 1
    first, *rest = found["settlements"]["differences"]
    assert first.startswith("peak HOME_1: 99.000 kWh instead of ")
    assert len(rest) == 2
    assert found["settlements"]["more"] == 0
