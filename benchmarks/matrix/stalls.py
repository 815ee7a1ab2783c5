"""Brokers and servers that stop reading, and connections whose far end is gone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.matrix.accounts import disagreements, printed
from benchmarks.matrix.broker import broker, mqtt
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.logs import late_ticks, repeated
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import Subscriber, of_file
from tests.integration.proxy import FaultProxy

GROUP = Group("Stalls and half-open connections")
QUEUE_MB = 1.0
_FILE = '\n[[transports]]\ntype = "file"\npath = "out.jsonl"\n'


def _stall(scene: Scene, outcome: Outcome, on_full: str, qos: int, seconds: float) -> None:
    """Stop the network between a run and its broker, and judge memory, log and account."""
    where = f"{on_full}, QoS {qos}"
    with broker(scene.folder) as mosquitto, Subscriber(mosquitto.ports["only"]) as far:
        with FaultProxy(mosquitto.ports["only"]) as proxy:
            table = mqtt(
                proxy.port, f"qos = {qos}", f'on_full = "{on_full}"', f"queue_mb = {QUEUE_MB}"
            )
            # They fill the queue within seconds.
            text = fleet(table + _FILE, count=scene.size(500, 200))
            with FleetRun(scene.folder, text) as run:
                run.wait_for("watch it")
                time.sleep(scene.size(2, 10))
                before = run.memory_mb()
                proxy.stall()
                most, until = 0.0, time.monotonic() + seconds
                while time.monotonic() < until:
                    most = max(most, run.memory_mb())
                    time.sleep(0.5)
                proxy.recover()
                back = run.wait_for("reconnected")
                time.sleep(3)
                run.process.terminate()
                status = run.wait()
        received = far.settled()
    account = printed(run.log)["mqtt"]
    grown = most - before
    outcome.note(
        f"{where}: memory +{grown:.1f} MB with a queue of {QUEUE_MB:g} MB, {late_ticks(run.log)} "
        f"late ticks, back after {back:.1f} s; {account}"
    )
    outcome.check(grown <= QUEUE_MB + 10, f"{where}: memory grew by {grown:.1f} MB")
    outcome.check(set(account.dropped) == {"queue full"}, f"{where}: dropped {account.dropped}")
    outcome.check(status == 143, f"{where}: exit {status}")
    outcome.extend(repeated(run.log), where)
    outcome.extend(
        disagreements(run, {"mqtt": received, "file": of_file(scene.folder / "out.jsonl")}), where
    )


@GROUP.row(
    "stalled network for 10 minutes (12 s in the short form), 800 readings/s",
    "memory within the queue + 10 MB; ticks on time; one log line per cause and 10 s; drops "
    "counted as `queue full`",
)
def stall(scene: Scene, outcome: Outcome) -> None:
    cases = [("drop_oldest", 1), ("drop_newest", 0)][: scene.size(1, 2)]
    with ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(
                _stall, scene.part(f"{on_full}-{qos}"), outcome, on_full, qos, scene.size(12, 600)
            )
            for on_full, qos in cases
        ]
        for one in runs:
            one.result()


@GROUP.row(
    'stalled network at speed 0, `on_full = "block"`',
    "the run waits; after `stall_timeout_s` the transport fails, exit 1",
    short=False,
)
def block(scene: Scene, outcome: Outcome) -> None:
    with broker(scene.folder) as mosquitto, Subscriber(mosquitto.ports["only"]) as far:
        with FaultProxy(mosquitto.ports["only"]) as proxy:
            table = mqtt(proxy.port, "qos = 1", f"queue_mb = {QUEUE_MB}", "stall_timeout_s = 8")
            text = fleet(table, count=1000)
            with FleetRun(scene.folder, text, "--speed", "0") as run:
                run.wait_for("watch it")
                time.sleep(2)
                before = run.memory_mb()
                proxy.stall()
                began = time.monotonic()
                run.wait_for(" failed: ")
                seconds, most = time.monotonic() - began, run.memory_mb()
                status = run.wait()
        received = far.settled()
    outcome.note(
        f"failed after {seconds:.1f} s, memory +{most - before:.1f} MB; exit {status}; "
        f"{printed(run.log)['mqtt']}"
    )
    outcome.check(status == 1, f"exit {status}")
    outcome.check(most - before <= QUEUE_MB + 10, "memory grew")
    outcome.check(7.5 <= seconds <= 20, "not after stall_timeout_s")
    outcome.extend(disagreements(run, {"mqtt": received}))


@GROUP.row(
    "half-open connection: all is accepted, nothing arrives, nothing comes back",
    "found within 10 s; what was not confirmed is sent again (QoS 1) or counted as unconfirmed "
    "(QoS 0)",
)
def half_open(scene: Scene, outcome: Outcome) -> None:
    qualities = (0, 1)
    with ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(_half_open, scene.part(f"qos-{qos}"), outcome, qos) for qos in qualities
        ]
        for one in runs:
            one.result()


def _half_open(scene: Scene, outcome: Outcome, qos: int) -> None:
    with broker(scene.folder) as mosquitto, Subscriber(mosquitto.ports["only"]) as far:
        with (
            FaultProxy(mosquitto.ports["only"]) as proxy,
            FleetRun(scene.folder, fleet(mqtt(proxy.port, f"qos = {qos}"))) as run,
        ):
            run.wait_for("watch it")
            time.sleep(1)
            proxy.swallow()
            seconds = run.wait_for("lost its connection")
            proxy.recover()
            run.wait_for("reconnected")
            time.sleep(1)
            run.process.terminate()
            status = run.wait()
        received = far.settled()
    account = printed(run.log)["mqtt"]
    outcome.note(f"QoS {qos}: found after {seconds:.1f} s; {account}; exit {status}")
    outcome.check(seconds <= 10, f"QoS {qos}: longer than 10 s")
    if qos:
        outcome.check(account.delivered == account.accepted, "QoS 1: readings lost")
    else:
        outcome.check(account.unconfirmed > 0, "QoS 0: nothing unconfirmed")
    outcome.extend(disagreements(run, {"mqtt": received}), f"QoS {qos}")


@GROUP.row(
    "slow broker: 20 ms for each 1,447 bytes, and messages sliced",
    "bounded, no frame torn, drops counted as `queue full`",
)
def slow(scene: Scene, outcome: Outcome) -> None:
    with broker(scene.folder) as mosquitto, Subscriber(mosquitto.ports["only"]) as far:
        with FaultProxy(mosquitto.ports["only"], slice_bytes=1447, latency_s=0.02) as proxy:
            table = mqtt(proxy.port, "qos = 1", "queue_mb = 0.2", 'on_full = "drop_oldest"')
            text = fleet(table + _FILE, count=200)
            with FleetRun(scene.folder, text, "--duration", f"{scene.size(6, 30)}s") as run:
                status = run.wait()
        received = far.settled()
    outcome.note(f"{late_ticks(run.log)} late ticks; {printed(run.log)['mqtt']}; exit {status}")
    outcome.check(status == 0, f"exit {status}, although on_full is in the file")
    outcome.extend(repeated(run.log))
    outcome.extend(
        disagreements(run, {"mqtt": received, "file": of_file(scene.folder / "out.jsonl")})
    )
