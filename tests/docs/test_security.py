"""The limits in SECURITY.md are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.config.tables import identifiers
from gridsim.config.text import guard
from gridsim.contracts import instruction_json, instruction_rules
from gridsim.simulation import instructed
from gridsim.simulation.commands import book, used_ids
from gridsim.sources import worker
from gridsim_plugins.mqtt.session import dialogue
from gridsim_plugins.views.web import app, overload, requests, stream

PAGE = (Path(__file__).parents[2] / "SECURITY.md").read_text()
LIMITS: dict[str, list[float]] = {
    "configuration and scenario files": [guard.MAX_BYTES, guard.MAX_DEPTH],
    "identifiers of projects and devices": [identifiers.MAX_BYTES],
    "a command, event or fault as a message": [
        instruction_json.MAX_BYTES,
        instruction_rules._DEEPEST,
        instruction_rules.MAX_ID,
        instruction_rules.MAX_PERIODS,
    ],
    "instructions without an answer": [worker.MAX_UNANSWERED, worker.MAX_UNANSWERED_EACH],
    "commands that wait for their start": [book.MAX_WAITING, book.MAX_WAITING_EACH],
    "calls of events and injections of faults": [instructed.MAX_EACH_TICK, instructed.MAX_CALLS],
    "ids of commands that are remembered": [used_ids.MAX_IDS],
    "messages of a broker that were not read yet": [dialogue._MOST_BYTES],
    "a request to the page": [requests.MAX_BODY, requests._BODY_S],
    "requests from one address": [
        app._READS_PER_S,
        app._WRITES_PER_S,
        app._READS_AT_ONCE,
        app._WRITES_AT_ONCE,
    ],
    "clients of the page": [overload._MAX_CONNECTIONS, stream.MAX_CLIENTS],
}


@pytest.mark.parametrize("row", LIMITS)
def test_a_limit_is_that_of_the_code(row: str) -> None:
    [line] = [line for line in PAGE.splitlines() if line.startswith(f"| {row} |")]
    figures = [word.strip(";,") for word in line.split("|")[2].split()]
    found = [float(word.replace(",", "")) for word in figures if word[0].isdigit()]
    assert found == LIMITS[row]
