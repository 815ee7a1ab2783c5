"""Faults of the broker and of the network."""

from __future__ import annotations

import random
import time
from itertools import pairwise

from benchmarks.matrix.accounts import disagreements, printed
from benchmarks.matrix.broker import broker, mqtt
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import Subscriber, of_file
from benchmarks.matrix.tap import Tap
from tests.fixtures.ports import free_port
from tests.integration.proxy import FaultProxy

GROUP = Group("Broker and network")
_FILE = '\n[[transports]]\ntype = "file"\npath = "out.jsonl"\n'


@GROUP.row(
    'broker down at start, `startup = "fail"`',
    "no tick, one error that names the address, exit 3",
)
def down_fail(scene: Scene, outcome: Outcome) -> None:
    port = free_port()
    with FleetRun(scene.folder, fleet(mqtt(port) + _FILE), "--duration", "2s") as run:
        status = run.wait()
    errors = [line for line in run.log.splitlines() if " ERROR " in line]
    outcome.note(f"exit {status}, {len(errors)} error: {errors[0][9:] if errors else ''}")
    outcome.check(status == 3, "not exit 3")
    outcome.check(len(errors) == 1 and str(port) in errors[0], "not one error with the address")
    outcome.check(not of_file(scene.folder / "out.jsonl").copies, "ticks ran")


@GROUP.row(
    'broker down at start, `startup = "retry"`',
    "ticks on time, other transports unaffected; all readings delivered once it is up",
)
def down_retry(scene: Scene, outcome: Outcome) -> None:
    mosquitto = broker(scene.folder)
    text = fleet(mqtt(mosquitto.ports["only"], 'startup = "retry"', "qos = 1") + _FILE)
    with FleetRun(scene.folder, text, "--duration", "4s") as run:
        run.wait_for("retrying")
        time.sleep(0.7)
        early = len(of_file(scene.folder / "out.jsonl").copies)
        with mosquitto, Subscriber(mosquitto.ports["only"]) as far:
            status = run.wait()
            received = far.settled()
    late = _late_ticks(run.log)
    outcome.note(f"{early} readings in the file before the broker was up, {late} late ticks")
    outcome.note(f"mqtt: {printed(run.log).get('mqtt')}; exit {status}")
    outcome.check(early >= 20, "the file waited for the broker")
    outcome.check(status == 0, f"exit {status}")
    outcome.check(_delivered(run) == {"mqtt": 320, "file": 320}, "not all delivered")
    outcome.extend(
        disagreements(run, {"mqtt": received, "file": of_file(scene.folder / "out.jsonl")})
    )


@GROUP.row(
    "broker restarts, QoS 1",
    "back within 2 s of its return; replayed in order, none lost",
)
def restart(scene: Scene, outcome: Outcome) -> None:
    with broker(scene.folder) as mosquitto, Subscriber(mosquitto.ports["only"]) as far:
        text = fleet(mqtt(mosquitto.ports["only"], "qos = 1"))
        with FleetRun(scene.folder, text, "--duration", "5s") as run:
            run.wait_for("watch it")
            time.sleep(1)
            mosquitto.stop()
            run.wait_for("lost its connection")
            time.sleep(1)
            mosquitto.start()
            seconds = run.wait_for("reconnected")
            status = run.wait()
        received = far.settled()
    times = [stamp for _, stamp in dict.fromkeys(received.order)]
    backwards = sum(b < a for a, b in pairwise(times))
    outcome.note(f"reconnected after {seconds:.2f} s; {printed(run.log).get('mqtt')}")
    outcome.check(seconds <= 2, "longer than 2 s")
    outcome.check(not backwards, f"the order of the first copies went back {backwards} times")
    outcome.check(status == 0, f"exit {status}")
    outcome.check(_delivered(run) == {"mqtt": 400}, "not all delivered")
    outcome.extend(disagreements(run, {"mqtt": received}))


@GROUP.row(
    "broker restarted again and again (SIGTERM, so that it keeps its sessions), QoS 1",
    "none lost; copies only of readings that were sent again after a reconnection",
)
def restarts(scene: Scene, outcome: Outcome) -> None:
    rng = random.Random(42)
    times = scene.size(3, 100)
    with broker(scene.folder) as mosquitto, Subscriber(mosquitto.ports["only"]) as far:
        text = fleet(mqtt(mosquitto.ports["only"], "qos = 1"), count=100)
        with FleetRun(scene.folder, text) as run:
            run.wait_for("watch it")
            for _ in range(times):
                time.sleep(rng.uniform(0.2, 2.0))
                mosquitto.stop()
                time.sleep(rng.uniform(0.0, 0.5))
                mosquitto.start()
            time.sleep(2.5)
            run.process.terminate()
            status = run.wait()
        received = far.settled()
    account = printed(run.log)["mqtt"]
    copies = received.copies.total() - len(received.copies)
    outcome.note(
        f"{times} restarts: {account}; at a subscriber {len(received.copies):,} readings and "
        f"{copies:,} copies; exit {status}"
    )
    outcome.check(account.delivered == account.accepted, "readings lost")
    outcome.check(len(received.copies) == account.accepted, "readings missing at the far end")
    outcome.extend(disagreements(run, {"mqtt": received}))


@GROUP.row(
    "broker killed again and again (kill -9, every second time with the connection reset within a "
    "message), QoS 1",
    "none lost: the broker confirmed each reading that was called delivered; no copy without a "
    "reconnection between",
)
def kills(scene: Scene, outcome: Outcome) -> None:
    rng = random.Random(42)
    times = scene.size(4, 100)
    tap = Tap()
    with (
        broker(scene.folder) as mosquitto,
        FaultProxy(mosquitto.ports["only"], tap=tap) as proxy,
        FleetRun(scene.folder, fleet(mqtt(proxy.port, "qos = 1"), count=100)) as run,
    ):
        run.wait_for("watch it")
        for number in range(times):
            time.sleep(rng.uniform(0.2, 1.5))
            if number % 2:
                proxy.reset_after(rng.randrange(1, 20_000))
            mosquitto.stop(kill=True)
            time.sleep(rng.uniform(0.0, 0.5))
            mosquitto.start()
        time.sleep(2.5)
        run.process.terminate()
        status = run.wait()
    account = printed(run.log)["mqtt"]
    outcome.note(
        f"{times} kills: {account}; the broker confirmed {len(tap.confirmed.copies):,} readings "
        f"on {tap.connections:,} connections; {tap.copies:,} were sent again, "
        f"{tap.within:,} of them on the same connection; exit {status}"
    )
    outcome.check(account.delivered == account.accepted, "readings lost")
    outcome.check(not tap.within, "copies without a reconnection")
    outcome.extend(disagreements(run, {"mqtt": tap.confirmed}))


def _delivered(run: FleetRun) -> dict[str, int]:
    return {name: account.delivered for name, account in printed(run.log).items()}


def _late_ticks(log: str) -> int:
    for line in log.splitlines():
        if " caught up" in line:
            return int(line.rpartition("; ")[2].split()[0].replace(",", ""))
    return 0
