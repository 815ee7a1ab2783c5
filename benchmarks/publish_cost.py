"""The processor time of a published message: QoS 0, QoS 1, and a connection for each DER.

python benchmarks/publish_cost.py
python benchmarks/publish_cost.py --against 05edd9f
python benchmarks/publish_cost.py --against ../gridsim-before

Every way publishes the same records to the benchmark's own Mosquitto, encoding included, in turns.
`--against` is a commit or another checkout, whose process takes turns with this one's. The time is
that of the publishing process, user and system, without the broker's. Each figure is the median of
the rounds, and each ratio the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from statistics import median

from mosquitto import mosquitto, version

ROOT = Path(__file__).resolve().parent.parent
WAYS = (
    ("one connection, QoS 0", "shared", 0),
    ("one connection, QoS 1", "shared", 1),
    ("a connection per DER, QoS 0", "der", 0),
    ("a connection per DER, QoS 1", "der", 1),
)
# Runs in each process: it must work in a checkout of before.
WORKER = """
import sys, time
from gridsim.testing import RecordingReceipt, make_batch, make_roster, make_run
from gridsim_plugins.formats.json import Json
from gridsim_plugins.mqtt.transport import Mqtt
port, ders, connections = map(int, sys.argv[1:])
made = {}
def transport(kind, qos):
    batch = make_batch(make_roster([10] * ((connections if kind == "der" else ders) // 10)))
    # A transport is silent while others have their turn.
    given = {"host": "127.0.0.1", "port": port, "connections": kind, "qos": qos,
        "keepalive_s": 3600}
    format = Json(Json.Settings(), "der", batch.roster)
    one = Mqtt(Mqtt.Settings.model_validate(given), format, make_run(batch.roster))
    one.connect()
    return one, batch
for line in sys.stdin:
    kind, qos, ticks = line.split()
    if (kind, qos) not in made:
        made[kind, qos] = transport(kind, int(qos))
    one, batch = made[kind, qos]
    began = time.process_time()
    for _ in range(int(ticks)):
        receipt = RecordingReceipt(len(batch))
        one.idle()
        one.write(batch, receipt)
        assert receipt.delivered_rows == len(batch)
    print((time.process_time() - began) / (int(ticks) * len(batch)), flush=True)
"""


class Worker:
    """A process that publishes on request."""

    def __init__(self, checkout: Path, port: int, ders: int, connections: int) -> None:
        python = checkout / ".venv/bin/python"
        paths = f"{checkout}{os.pathsep}{checkout / 'plugins'}"
        self._process = subprocess.Popen(
            [
                str(python if python.exists() else sys.executable),
                "-c",
                WORKER,
                *map(str, (port, ders, connections)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )

    def publish(self, kind: str, qos: int, ticks: int) -> float:
        """Publish some ticks and return the processor time of a message, microseconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{kind} {qos} {ticks}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit("a publishing process has failed")
        return float(answer) * 1e6

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", metavar="COMMIT_OR_DIR", help="a commit or checkout")
    parser.add_argument("--ders", type=int, default=10_000, help="on one connection")
    parser.add_argument("--connections", type=int, default=4_000)
    parser.add_argument("--ticks", type=int, default=5, help="per round")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    # The broker, too, needs a descriptor for each connection; it inherits this.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder, mosquitto() as port:
        checkouts = {"here": ROOT}
        if options.against:
            checkouts[Path(options.against).name] = _checkout(options.against, Path(folder))
        workers = {
            name: Worker(path, port, options.ders, options.connections)
            for name, path in checkouts.items()
        }
        times = _measure(workers, options.ticks, options.rounds)
        for worker in workers.values():
            worker.close()
    print(f"Mosquitto {version()}, no subscriber, {options.rounds} rounds of {options.ticks} ticks")
    print(f"{options.ders:,} DERs on one connection, {options.connections:,} with their own")
    print(f"{'processor time, us':28}" + "".join(f"{name:>10}" for name in workers), end="")
    print("     ratio" if options.against else "")
    for label, kind, qos in WAYS:
        each = [times[name, kind, qos] for name in workers]
        line = "".join(f"{median(one):>10.2f}" for one in each)
        print(f"{label:28}{line}" + (f"{_ratio(*each):>10.2f}" if options.against else ""))
    ratios = [_ratio(times[name, "shared", 1], times[name, "shared", 0]) for name in workers]
    line = "".join(f"{ratio:>10.2f}" for ratio in ratios)
    print(f"{'QoS 1 to 0, one connection':28}{line}")


def _checkout(against: str, folder: Path) -> Path:
    """Return the checkout to compare with; the files of a commit are put into `folder`."""
    if Path(against).is_dir():
        return Path(against).resolve()
    found = subprocess.run(["git", "archive", against], cwd=ROOT, stdout=subprocess.PIPE)
    if found.returncode:
        sys.exit(f"{against} is neither a folder nor a commit")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


Times = dict[tuple[str, str, int], list[float]]


def _measure(workers: dict[str, Worker], ticks: int, rounds: int) -> Times:
    """Return the microseconds per message of each process and way, one for each round."""
    times: Times = {(name, kind, qos): [] for name in workers for _, kind, qos in WAYS}
    for _, kind, qos in WAYS:
        for worker in workers.values():
            worker.publish(kind, qos, 2)
    for number in range(rounds):
        for _, kind, qos in WAYS:
            # Each process is first in every other round.
            for name in sorted(workers, reverse=number % 2 == 1):
                times[name, kind, qos].append(workers[name].publish(kind, qos, ticks))
    return times


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return median(a / b for a, b in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    main()
