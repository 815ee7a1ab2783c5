"""A reload under traffic keeps the connections to the broker, and loses or repeats no reading."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from gridsim.contracts.results import TickResult
from gridsim.errors import UsageError
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from tests.integration.conftest import Publish, Subscribe
from tests.integration.mosquitto import DEADLINE_S, Mosquitto

CONFIG = """
[simulation]
speed = 40
[weather]
type = "clear"
[[projects]]
id = "PRJ_{n}"
count = 3
load = { type = "constant", kw = 1.0 }
[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
[[transports]]
type = "mqtt"
host = "127.0.0.1"
port = PORT
qos = QOS
format = { type = "json", extra_fields = ["seq"] }
[[sources]]
type = "mqtt"
host = "127.0.0.1"
port = PORT
"""


@pytest.mark.mosquitto
@pytest.mark.parametrize("qos", [0, 1])
def test_connections_stay_and_every_reading_arrives_once(
    commands: dict[str, str], subscribe: Subscribe, publish: Publish, tmp_path: Path, qos: int
) -> None:
    path, ticked = tmp_path / "fleet.toml", threading.Semaphore(0)
    answers: list[tuple[str, str]] = []

    def note(result: TickResult) -> None:
        answers.extend((one.id, one.status) for one in result.acknowledgements)
        ticked.release()

    def wait(ticks: int) -> None:
        for _ in range(ticks):
            assert ticked.acquire(timeout=DEADLINE_S)

    options = "log_dest stderr\nlog_type notice\nconnection_messages true"
    listeners = {"plain": "allow_anonymous true"}
    with Mosquitto(commands["mosquitto"], tmp_path, listeners, options) as broker:
        port = broker.ports["plain"]
        plain = CONFIG.replace("PORT", str(port)).replace("QOS", str(qos))
        more = plain.replace("count = 3", "count = 5")
        broken = plain.replace("constant", "konstant")
        path.write_text(plain)
        with subscribe(port, topic="projects/+/ders/+") as subscriber:
            with Run(make_plan(Options(path))) as run:
                run.subscribe(note)
                for text in (more, broken, plain):
                    wait(4)
                    path.write_text(text)
                    if text == broken:
                        with pytest.raises(UsageError, match="konstant"):
                            run.reload()
                        continue
                    run.reload()
                    if text == more:
                        # The source knows the devices that are new.
                        order = {"id": "c", "command": "set_power", "value": 1}
                        publish(port, "projects/PRJ_5/ders/PRJ_5_BAT/command", order)
                        while ("c", "accepted") not in answers:
                            wait(1)
                wait(4)
            status = run.status()
            [mqtt] = status.transports
            received = [json.loads(body) for _, body in subscriber.messages(mqtt.delivered)]
    assert ("c", "cancelled") in answers, "its target was removed"
    assert mqtt.accepted == mqtt.delivered == len(received)
    assert (mqtt.reconnects, [one.reconnects for one in status.sources]) == (0, [0])
    seen = {(one["der_id"], one["seq"]) for one in received}
    assert len(seen) == len(received)
    for der in ("PRJ_1_BAT", "PRJ_2_BAT", "PRJ_3_BAT"):
        assert {seq for id, seq in seen if id == der} == set(range(status.tick))
    assert {id for id, _ in seen} > {"PRJ_4_BAT", "PRJ_5_BAT"}
    log = (tmp_path / "mosquitto.log").read_text()
    assert log.count(" as gridsim-") == 2, "one connection of the transport, one of the source"
