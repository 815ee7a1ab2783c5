"""Runs with a ledger, and what it contains."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.integration.commands import DEADLINE_S

FLEET = """
[simulation]
seed = 3
speed = 0
start = 2026-07-01T12:00:00Z
[ledger]
path = "ledger.sqlite"
[[projects]]
id = "HOME_{n}"
count = 20
contract_threshold = 2.0
[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 5.0
"""


def write(folder: Path, more: str) -> Path:
    path = folder / "fleet.toml"
    path.write_text(FLEET + more)
    return path


def rows(ledger: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(ledger)) as connection:
        return connection.execute(query).fetchall()


def fates(ledger: Path) -> dict[tuple[str, str, str], int]:
    query = (
        "SELECT name, fate, reason, sum(rows) FROM fates JOIN transports USING (transport) "
        "GROUP BY 1, 2, 3"
    )
    return {(name, fate, reason): n for name, fate, reason, n in rows(ledger, query)}


def wait_for_offers(ledger: Path, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while offers(ledger) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def offers(ledger: Path) -> int:
    """Return the number of batches that the ledger has so far."""
    if not (ledger.exists() and ledger.stat().st_size):
        return 0
    try:
        return int(rows(ledger, "SELECT count(*) FROM offers")[0][0])
    except sqlite3.OperationalError:
        return 0
