"""The embedded broker."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.matrix.accounts import disagreements, printed
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import Subscriber
from tests.fixtures.ports import free_port

GROUP = Group("Embedded broker")


def listening(port: int) -> list[str]:
    """Return the addresses that listen at a port, as the kernel has them."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, number = local.partition(":")
            if state == "0A" and int(number, 16) == port:
                found.append(address)
    return found


def _children(pid: int) -> list[int]:
    # A file for each thread.
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for file in files for word in file.read_text().split()]


@GROUP.row(
    "a run on the embedded broker, ended by SIGTERM, and by kill -9",
    "listens on 127.0.0.1 only; readings arrive; the broker ends with the run",
)
def embedded(scene: Scene, outcome: Outcome) -> None:
    port = free_port()
    table = f'\n[[transports]]\ntype = "mqtt"\nhost = "embedded"\nport = {port}\nqos = 1\n'
    with FleetRun(scene.folder, fleet(table, count=10), own_interpreter=True) as run:
        run.wait_for("watch it")
        with Subscriber(port) as far:
            since = len(far.received.copies)
            time.sleep(1.5)
            received = len(far.received.copies) - since
        addresses = listening(port)
        run.process.terminate()
        status = run.wait()
    outcome.note(
        f"listens at {addresses}, {received} readings in 1.5 s; exit {status}; "
        f"{printed(run.log)['mqtt']}"
    )
    outcome.check(addresses == ["0100007F"], "not on 127.0.0.1 alone")
    outcome.check(received > 0, "nothing arrived")
    outcome.extend(disagreements(run, {}))
    part = scene.part("killed")
    with FleetRun(part.folder, fleet(table, count=10), own_interpreter=True) as run:
        run.wait_for("watch it")
        children = _children(run.pid)
        run.process.kill()
        run.process.wait()
        deadline = time.monotonic() + 10
        while listening(port) and time.monotonic() < deadline:
            time.sleep(0.05)
    left = listening(port)
    outcome.note(
        f"kill -9 of the run: {len(children)} child processes, the port is "
        + ("still open" if left else "closed")
    )
    outcome.check(not left, "the broker outlived its run")
