"""A run that takes commands from another client of a broker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gridsim.running.inbox import CommandInbox
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from gridsim.sources import SourceWorker
from tests.integration.mosquitto import DEADLINE_S, Subscriber

FLEET = """
[simulation]
tick_s = 1.0
speed = 20
start = "2026-07-01T12:00:00Z"

[[projects]]
id = "PRJ_0"
load = { type = "constant", kw = 1.0 }

[[projects.ders]]
id = "DER_0"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
strategy = "idle"
losses = "siemens_junelight"

[[sources]]
type = "mqtt"
host = "127.0.0.1"
"""
TOPIC = "projects/PRJ_0/ders/DER_0"


class Stepped:
    """A simulation with its source, stepped by the test."""

    def __init__(self, folder: Path, settings: str) -> None:
        path = folder / "fleet.toml"
        path.write_text(f'{FLEET}{settings}\n[[transports]]\ntype = "stdout"\n')
        plan = make_plan(Options(config=path))
        self._inbox = CommandInbox()
        self._simulation = Simulation(plan.configuration.scenario)
        [inlet] = plan.sources
        self.worker = SourceWorker(
            inlet.name, inlet.source, self._inbox, lambda: (self._simulation.next_tick, 0)
        )

    def step_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"{self.worker.state}: {self.worker.error}"
            outcome = self._simulation.advance(self._inbox.drain())
            self.worker.offer(outcome.acknowledgements)
            time.sleep(0.005)


@contextmanager
def stepped(folder: Path, settings: str) -> Iterator[Stepped]:
    run = Stepped(folder, settings)
    run.worker.start()
    try:
        run.worker.wait_first_attempt(DEADLINE_S)
        yield run
    finally:
        run.worker.close()
        assert run.worker.wait(DEADLINE_S)


def acks(subscriber: Subscriber) -> list[dict[str, Any]]:
    return [json.loads(text) for topic, text in subscriber.messages(0) if topic.endswith("/ack")]


def command(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "command": "set_power", "value": -3.0, **more}
