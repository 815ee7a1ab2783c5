"""The reload of a configuration."""

from __future__ import annotations

import signal
import time
from collections import Counter

from benchmarks.matrix.accounts import printed
from benchmarks.matrix.broker import broker, mqtt
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.logs import late_ticks
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import Subscriber, of_file

GROUP = Group("Reload")
_FILE = '\n[[transports]]\ntype = "file"\npath = "out.jsonl"\n'
_MORE = """
[[projects]]
id = "NEW"
load = { type = "constant", kw = 1.0 }
[[projects.ders]]
id = "NEW_B"
type = "battery"
nameplate_capacity = 5.0
"""


@GROUP.row(
    "SIGHUP: a project added, then a broken file, then the first file again",
    "validated whole, swapped between ticks; a broken file changes nothing; connections stay; no "
    "reading lost, repeated or late",
)
def reload(scene: Scene, outcome: Outcome) -> None:
    with broker(scene.folder) as mosquitto, Subscriber(mosquitto.ports["only"]) as far:
        text = fleet(mqtt(mosquitto.ports["only"], "qos = 1") + _FILE, count=10)
        with FleetRun(scene.folder, text, ledger=False) as run:
            run.wait_for("watch it")
            time.sleep(1)
            for content, says in (
                (text + _MORE, "configuration reloaded"),
                (text + "[[projects]\n", "was not reloaded"),
                (text, "configuration reloaded"),
            ):
                before = run.log.count(says)
                run.config.write_text(content)
                run.process.send_signal(signal.SIGHUP)
                deadline = time.monotonic() + 10
                while run.log.count(says) == before and time.monotonic() < deadline:
                    time.sleep(0.02)
                outcome.check(run.log.count(says) > before, f"not logged: {says}")
                time.sleep(1)
            run.process.terminate()
            status = run.wait()
        received = far.settled()
    account = printed(run.log)["mqtt"]
    ticks = Counter(stamp for der, stamp in received.copies if der == "P1_B")
    new = sum(der == "NEW_B" for der, _ in received.copies)
    connections = (scene.folder / "mosquitto.log").read_text().count("New client connected") - 1
    outcome.note(
        f"{account}; {len(ticks)} ticks, {new} of them with the new project; {connections} "
        f"connection of the run; {late_ticks(run.log)} late ticks; exit {status}"
    )
    outcome.check(account.delivered == account.accepted, "readings lost")
    outcome.check(len(received.copies) == account.delivered, "the far end has others")
    outcome.check(received.copies.total() == len(received.copies), "readings repeated")
    outcome.check(10 * len(ticks) + new == len(received.copies), "a tick without a device")
    outcome.check(0 < new < len(ticks), "the new project is in all ticks, or in none")
    outcome.check(connections == 1, f"{connections} connections")
    found = of_file(scene.folder / "out.jsonl")
    outcome.check(found.copies == received.copies, "the file has other readings")
