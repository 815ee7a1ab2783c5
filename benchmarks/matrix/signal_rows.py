"""Signals: the end of a run at any moment, with parts that hang or stall."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.matrix.accounts import disagreements, printed
from benchmarks.matrix.broken_plugins import PLUGIN
from benchmarks.matrix.broker import broker, mqtt
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import Received, Subscriber, of_file
from tests.integration.proxy import FaultProxy

GROUP = Group("Signals")
OUT_S = 5.0
"""The time within which a run must have ended after SIGTERM."""
_FILE = '\n[[transports]]\ntype = "file"\npath = "out.jsonl"\n'
_HANGS = "tick.index > 3 and time.sleep(3600)"
_ATTEMPTS = 3
"""The number of runs before one counts as too late: a fault delays all, a busy machine one."""
_SLACK_S = 0.4
"""The time that a busy machine may take to notice the end of a process."""
_ODD = '\n[[projects]]\nid = "O"\n[[projects.ders]]\nid = "O_X"\ntype = "odd"\n'
_ODD += "nameplate_capacity = 5.0\n"


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of one run."""

    status: int
    seconds: float
    """From the signal to the end of the process."""
    problems: list[str]


def _ended(
    run: FleetRun, number: int, received: Callable[[], dict[str, Received]], *, account: bool = True
) -> Ended:
    began = time.monotonic()
    run.process.send_signal(number)
    status = run.wait(60)
    seconds = time.monotonic() - began
    return Ended(status, seconds, disagreements(run, received()) if account else [])


@GROUP.row(
    "SIGTERM and SIGINT in a tick",
    "the tick ends, what is queued is sent, the account is exact; 143 within 5 s, 130 within 2 s",
)
def ends(scene: Scene, outcome: Outcome) -> None:
    for number, limit_s in ((signal.SIGTERM, OUT_S), (signal.SIGINT, 2.0)):
        part = scene.part(str(int(number)))
        with broker(part.folder) as mosquitto, Subscriber(mosquitto.ports["only"]) as far:
            text = fleet(
                mqtt(mosquitto.ports["only"], "qos = 1") + _FILE,
                count=scene.size(400, 2000),
                tick_s=0.2,
            )
            with FleetRun(part.folder, text) as run:
                run.wait_for("watch it")
                time.sleep(1.13)
                ended = _ended(
                    run,
                    number,
                    lambda far=far, part=part: {  # type: ignore[misc]
                        "mqtt": far.settled(),
                        "file": of_file(part.folder / "out.jsonl"),
                    },
                )
        name = number.name
        outcome.note(
            f"{name}: exit {ended.status} after {ended.seconds:.2f} s; {printed(run.log)['mqtt']}"
        )
        outcome.check(ended.status == 128 + number, f"{name}: exit {ended.status}")
        outcome.check(ended.seconds <= limit_s + _SLACK_S, f"{name}: {ended.seconds:.2f} s")
        outcome.check(not printed(run.log)["mqtt"].dropped, f"{name}: readings dropped")
        outcome.extend(ended.problems, name)


@GROUP.row(
    "a second SIGTERM or SIGINT while a stalled broker delays the end",
    "the process ends at once",
)
def second(scene: Scene, outcome: Outcome) -> None:
    with broker(scene.folder) as mosquitto, FaultProxy(mosquitto.ports["only"]) as proxy:
        for number in (signal.SIGTERM, signal.SIGINT):
            part = scene.part(str(int(number)))
            with FleetRun(part.folder, fleet(mqtt(proxy.port, "qos = 1"))) as run:
                run.wait_for("watch it")
                proxy.stall()
                time.sleep(1)
                run.process.send_signal(number)
                time.sleep(0.5)
                ended = _ended(run, number, dict, account=False)
                proxy.recover()
            name = number.name
            outcome.note(f"{name}: exit {ended.status} {1000 * ended.seconds:.0f} ms after it")
            outcome.check(ended.status == 128 + number, f"{name}: exit {ended.status}")
            outcome.check(ended.seconds < 0.5, f"{name}: not at once")


_SITUATIONS = ("healthy", "stalled broker", "no broker", "hung DER type", "hung transport")


def _one(scene: Scene, situation: str, wait_s: float) -> Ended:
    """Run in a situation, and end the run by SIGTERM after some seconds."""
    tables, simulation = _FILE, ""
    if situation == "hung DER type":
        body = PLUGIN.replace("BODY_device", _HANGS)
        (scene.folder / "odd.py").write_text(body)
        tables, simulation = _ODD + tables, 'plugins = ["odd.py"]\nhang_timeout_s = 60.0'
    elif situation == "hung transport":
        body = PLUGIN.replace("BODY_transport", "time.sleep(3600)")
        (scene.folder / "odd.py").write_text(body)
        tables = '\n[[transports]]\ntype = "odd"\n' + tables
        simulation = 'plugins = ["odd.py"]'
    with broker(scene.folder) as mosquitto, Subscriber(mosquitto.ports["only"]) as far:
        with FaultProxy(mosquitto.ports["only"]) as proxy:
            qos = random.Random(wait_s).randrange(2)
            table = mqtt(proxy.port, f"qos = {qos}", 'startup = "retry"')
            with FleetRun(
                scene.folder, fleet(table + tables, tick_s=0.1, simulation=simulation)
            ) as run:
                run.wait_for("watch it")
                time.sleep(wait_s)
                if situation == "stalled broker":
                    proxy.stall()
                    time.sleep(wait_s)
                elif situation == "no broker":
                    mosquitto.stop(kill=True)
                    time.sleep(wait_s)
                    mosquitto.start()
                    mosquitto.pause()
                ended = _ended(run, signal.SIGTERM, dict, account=False)
                if situation == "no broker":
                    mosquitto.resume()
            proxy.recover()
        # A killed broker forgets its sessions: its far end cannot judge.
        received = {} if situation == "no broker" else {"mqtt": far.settled()}
    received["file"] = of_file(scene.folder / "out.jsonl")
    return Ended(ended.status, ended.seconds, disagreements(run, received))


@GROUP.row(
    "SIGTERM at random moments: healthy, stalled broker, killed broker, hung DER type, hung "
    "transport",
    "all out within 5 s with 143 (0.4 s more are allowed on a busy machine); accounts exact",
)
def series(scene: Scene, outcome: Outcome) -> None:
    rng = random.Random(7)
    count = scene.size(5, 200)
    plan = [(_SITUATIONS[i % len(_SITUATIONS)], rng.uniform(0.0, 1.5)) for i in range(count)]
    lock = threading.Lock()
    slowest: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    again: list[int] = []

    def run(number: int) -> None:
        situation, wait_s = plan[number]
        for attempt in range(_ATTEMPTS):
            ended = _one(scene.part(f"{number}-{attempt}"), situation, wait_s)
            if ended.seconds <= OUT_S + _SLACK_S:
                break
        with lock:
            again.append(attempt)
            statuses[ended.status] += 1
            slowest[situation] = max(slowest[situation], ended.seconds)  # type: ignore[assignment]
            outcome.check(ended.status == 143, f"run {number} ({situation}): exit {ended.status}")
            late = ended.seconds > OUT_S + _SLACK_S
            outcome.check(not late, f"run {number} ({situation}): {ended.seconds:.2f} s")
            outcome.extend(ended.problems, f"run {number} ({situation})")

    with ThreadPoolExecutor(scene.size(5, 4)) as pool:
        list(pool.map(run, range(count)))
    longest = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in slowest.items())
    outcome.note(f"{count} runs; exit statuses {dict(statuses)}; the slowest of each: {longest}")
    if sum(again):
        outcome.note(f"{sum(again)} runs took longer on the busy machine, and were made again")
