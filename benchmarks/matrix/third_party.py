"""A transport of a third party (`examples/webhook`): it inherits the promises from its wrapper."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

from benchmarks.matrix.accounts import disagreements, printed
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.logs import errors, late_ticks, repeated
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import Server, of_file
from gridsim.delivery.spool import read_account

GROUP = Group("A transport of a third party (examples/webhook)")
_PLUGIN = Path(__file__).parents[2] / "examples" / "webhook" / "webhook.py"
_FILE = '\n[[transports]]\ntype = "file"\npath = "out.jsonl"\n'


def _start(scene: Scene, server: Server, *lines: str, duration: str, count: int = 20) -> FleetRun:
    table = "\n".join(
        ["", "[[transports]]", 'type = "webhook"', f'url = "http://127.0.0.1:{server.port}/"']
    )
    text = fleet("\n".join([table, *lines, ""]) + _FILE, count=count)
    words = ("--plugin", _PLUGIN, *(("--duration", duration) if duration else ()))
    return FleetRun(scene.folder, text, *words)


def _judge(scene: Scene, run: FleetRun, server: Server, outcome: Outcome, where: str) -> None:
    status = run.process.wait()
    outcome.note(
        f"{where}: {printed(run.log)['webhook']}; {late_ticks(run.log)} late ticks; exit {status}"
    )
    outcome.extend(repeated(run.log), where)
    far = {"webhook": server.received, "file": of_file(scene.folder / "out.jsonl")}
    outcome.extend(disagreements(run, far), where)


@GROUP.row(
    "server answers 503 for a while",
    "retried, nothing lost, other transports unaffected",
)
def unavailable(scene: Scene, outcome: Outcome) -> None:
    with Server() as server:
        with _start(scene, server, duration="4s") as run:
            run.wait_for("watch it")
            time.sleep(1)
            server.answer = 503
            run.wait_for("retrying")
            time.sleep(1)
            server.answer = 200
            status = run.wait()
        _judge(scene, run, server, outcome, "503")
    outcome.check(status == 0, f"exit {status}")
    outcome.check(printed(run.log)["webhook"].delivered == 320, "readings lost")


@GROUP.row(
    "server refuses one message (422)",
    "found, dropped with its reason, the rest flows; exit 1",
)
def refuses(scene: Scene, outcome: Outcome) -> None:
    with Server() as server:
        server.refuse = '"P7_B"'
        with _start(scene, server, duration="2s") as run:
            status = run.wait()
        _judge(scene, run, server, outcome, "422")
    account = printed(run.log)["webhook"]
    outcome.check(sum(account.dropped.values()) == 8, "not one reading of each tick dropped")
    outcome.check(account.delivered == 152, "others lost")
    outcome.check(status == 1, f"exit {status}")


@GROUP.row(
    "server stalls",
    "ticks on time, bounded, drops counted as `queue full`; SIGTERM ends it within 5 s",
)
def stalls(scene: Scene, outcome: Outcome) -> None:
    with Server() as server:
        lines = ("queue_mb = 0.1", "timeout_s = 60")
        with _start(scene, server, *lines, duration="", count=200) as run:
            run.wait_for("watch it")
            time.sleep(1)
            server.stall()
            time.sleep(scene.size(4, 15))
            began = time.monotonic()
            # The server goes on when the run is about to end, and counts what it had.
            timer = threading.Timer(3, server.resume)
            timer.start()
            run.process.send_signal(signal.SIGTERM)
            status = run.wait()
            seconds = time.monotonic() - began
            timer.join()
        time.sleep(0.3)
        _judge(scene, run, server, outcome, "stall")
    account = printed(run.log)["webhook"]
    outcome.note(f"out after {seconds:.2f} s")
    outcome.check(status == 143, f"exit {status}")
    outcome.check(seconds < 5.4, f"{seconds:.2f} s")
    outcome.check(account.dropped.get("queue full", 0) > 0, "nothing dropped")


@GROUP.row(
    "server down at start",
    "`fail`: exit 3, one error; `retry`: other transports unaffected",
)
def down(scene: Scene, outcome: Outcome) -> None:
    with Server() as server:
        pass  # Its port is closed now.
    for startup, expected in (("fail", 3), ("retry", 3)):
        part = scene.part(startup)
        with _start(part, server, f'startup = "{startup}"', duration="2s") as run:
            status = run.wait()
        file = len(of_file(part.folder / "out.jsonl").copies)
        outcome.note(f"{startup}: exit {status}, {file} readings in the file, {errors(run.log)}")
        outcome.check(status == expected, f"{startup}: exit {status}")
        outcome.check(file == (160 if startup == "retry" else 0), f"{startup}: {file} readings")


@GROUP.row(
    "kill -9 while the server is unavailable, with a spool",
    "the next run sends what the file has, and then its own; the account over both adds up",
)
def spooled(scene: Scene, outcome: Outcome) -> None:
    spool = f'spool = {{ path = "{scene.folder}/spool.sqlite" }}'
    with Server() as server:
        server.answer = 503
        first, second = scene.part("first"), scene.part("second")
        with _start(first, server, spool, duration="") as run:
            run.wait_for("retrying")
            time.sleep(1)
            run.process.kill()
            run.process.wait()
        kept = read_account(scene.folder / "spool.sqlite")
        server.answer = 200
        with _start(second, server, spool, duration="1s") as run:
            status = run.wait()
        account = read_account(scene.folder / "spool.sqlite")
    outcome.note(f"{kept.pending} readings kept; {printed(run.log)['webhook']}; exit {status}")
    outcome.check(kept.pending > 0, "nothing was kept")
    outcome.check(status == 0, f"exit {status}")
    outcome.check(account.pending == 0, "readings still wait")
    outcome.check(len(server.received.copies) == account.accepted, "the far end has others")
