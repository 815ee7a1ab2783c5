"""The reload of a run, and its resumption after a kill."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing

from benchmarks.matrix.accounts import Fates, contradictions, printed
from benchmarks.matrix.broker import broker, mqtt
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.logs import errors, late_ticks
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import Subscriber, of_file

GROUP = Group("Reload and resume")
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


_LIFE = """
[checkpoint]
path = "ck"
every_s = 1
on_recovery = "{on_recovery}"
"""


@GROUP.row(
    "kill -9 at random moments with ledger, checkpoint and spool at QoS 1, each time followed by "
    "`--resume`",
    "each life resumes; in the ledger every reading of all lives has one fate, and their sum is "
    "the number of readings; what was delivered is at the far end, copies were sent again",
)
def resumes(scene: Scene, outcome: Outcome) -> None:
    for on_recovery in ("skip", "republish"):
        _series(scene.part(on_recovery), outcome, on_recovery, scene.size(3, 50))


def _series(scene: Scene, outcome: Outcome, on_recovery: str, kills: int) -> None:
    rng = random.Random(11)
    with broker(scene.folder) as mosquitto, Subscriber(mosquitto.ports["only"]) as far:
        table = mqtt(
            mosquitto.ports["only"],
            "qos = 1",
            'startup = "retry"',
            'spool = { path = "spool.sqlite" }',
        )
        text = fleet(table, count=50, tick_s=0.1, more=_LIFE.format(on_recovery=on_recovery))
        refused = 0
        for _ in range(kills):
            with FleetRun(scene.folder, text, "--resume") as run:
                run.wait_for("watch it")
                # Some lives end before their first checkpoint.
                time.sleep(rng.uniform(0.0, 1.8))
                refused += run.process.poll() is not None
                run.process.kill()
                run.process.wait()
        with FleetRun(scene.folder, text, "--resume") as run:
            run.wait_for("watch it")
            time.sleep(2)
            run.process.terminate()
            status = run.wait()
        received = far.settled()
    assert run.ledger is not None
    fates = Fates(run.ledger, "mqtt")
    account = fates.account()
    with closing(sqlite3.connect(run.ledger)) as ledger:
        [(lives,)] = ledger.execute("SELECT count(*) FROM resumptions").fetchall()
        [(sound,)] = ledger.execute("PRAGMA integrity_check").fetchall()
    copies = received.copies.total() - len(received.copies)
    outcome.note(
        f"{on_recovery}: {kills} kills, {lives} resumptions, {refused} ended by themselves; over "
        f"all lives {account}; {len(received.copies):,} readings arrived, {copies:,} copies; "
        f"integrity {sound}; exit {status}"
    )
    outcome.check(status == 143, f"{on_recovery}: exit {status}: {errors(run.log)[:2]}")
    outcome.check(not refused, f"{on_recovery}: {refused} lives ended by themselves")
    outcome.check(account.balanced and not account.pending, f"{on_recovery}: does not add up")
    twice = f"{on_recovery}: {fates.repeated} readings with two fates: {fates.example}"
    outcome.check(not fates.repeated, twice)
    outcome.check(sound == "ok", f"{on_recovery}: the ledger is corrupt")
    if on_recovery == "republish":
        outcome.check(not account.dropped, "republish: readings dropped")
        # Readings since the checkpoint are sent a second time: that is the promise.
        received.copies = Counter(dict.fromkeys(received.copies, 1))
    outcome.extend(contradictions(fates, received, copies=True), on_recovery)
