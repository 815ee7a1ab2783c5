"""The command lines of examples/kubernetes/job.yaml as processes, beside one run of the fleet.

python benchmarks/indexed_job.py
python benchmarks/indexed_job.py --homes 2000 --seconds 30

Starts a Mosquitto and, for each index of the Job, its container's command with the environment of
the manifest. One of the processes is killed in mid-run and started again, as Kubernetes does it,
and one starts late. A subscriber keeps what arrives on each topic; one run of the same fleet
without shards follows. Fails if a topic has not the same messages in both.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import yaml
from mosquitto import mosquitto, version

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "examples/kubernetes/job.yaml"
# The time from the start of the processes to the first tick.
EPOCH_S = 25

Messages = dict[str, list[bytes]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--homes", type=int, default=400, help="the number of projects")
    parser.add_argument("--seconds", type=int, default=40, help="the duration of the run")
    options = parser.parse_args()
    manifests = yaml.safe_load_all(MANIFEST.read_text())
    config_map, job = manifests
    fleet, changes = re.subn(
        r"count = \d+", f"count = {options.homes}", config_map["data"]["fleet.toml"]
    )
    assert changes == 1
    with tempfile.TemporaryDirectory() as folder, mosquitto() as port:
        path = Path(folder, "fleet.toml")
        path.write_text(
            fleet.replace('host = "${MQTT_HOST}"', f'host = "127.0.0.1"\nport = {port}')
        )
        epoch = datetime.now(UTC) + timedelta(seconds=EPOCH_S)
        start = epoch.strftime("%Y-%m-%dT%H:%M:%SZ")
        pods = [
            Pod(job, index, path, start, f"{options.seconds}s", Path(folder))
            for index in range(job["spec"]["completions"])
        ]
        print(f"Mosquitto {version()}; {len(pods)} processes, first tick at {start}", flush=True)
        print("shard 0:", *pods[0].command[2:], flush=True)
        with Subscriber(port) as shards:
            disturb(pods, epoch, options.seconds)
            failed = [pod.index for pod in pods if pod.process.wait(120)]
            shards.settle()
        whole = [sys.executable, "-m", "gridsim", "--config", str(path), "--start", start]
        whole += ["--speed", "0", "--duration", f"{options.seconds}s", "--no-web"]
        with Subscriber(port) as one:
            environment = {**os.environ, "STATE_DIRECTORY": f"{folder}/whole"}
            subprocess.run(whole, check=True, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
            one.settle()
        report(shards.messages, one.messages, failed, [pod.log.read_text() for pod in pods])


class Pod:
    """The container of one index of the Job, as a process."""

    def __init__(
        self, job: dict[str, Any], index: int, config: Path, start: str, duration: str, folder: Path
    ) -> None:
        container = job["spec"]["template"]["spec"]["containers"][0]
        own = {"GRIDSIM_START": start, "JOB_COMPLETION_INDEX": str(index)}
        state = folder / f"pod-{index}"
        state.mkdir()
        given = {one["name"]: one.get("value", "") for one in container["env"]}
        self.environment = {**os.environ, **given, **own, "STATE_DIRECTORY": str(state)}
        expanded = [
            re.sub(r"\$\((\w+)\)", lambda match: self.environment[match[1]], argument)
            for argument in container["args"]
        ]
        replaced = {"config": str(config), "duration": duration, "web": "127.0.0.1:0"}
        arguments = [
            f"--{name}={replaced.get(name, value)}" if value else f"--{name}"
            for name, _, value in (one.removeprefix("--").partition("=") for one in expanded)
        ]
        self.index = index
        self.command = [sys.executable, "-m", "gridsim", *arguments]
        self.log = state / "log"
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start the container, or start it again."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environment, stderr=log, stdout=log
            )


class Subscriber:
    """A client that keeps the messages of each topic."""

    def __init__(self, port: int) -> None:
        self.messages: Messages = defaultdict(list)
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)

    def _take(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.messages[message.topic].append(message.payload)

    def settle(self) -> None:
        """Wait until no message has come for two seconds."""
        before = -1
        while (now := sum(map(len, self.messages.copy().values()))) != before:
            before = now
            time.sleep(2)

    def __enter__(self) -> Subscriber:
        self._client.subscribe("projects/#", qos=1)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def disturb(pods: list[Pod], epoch: datetime, seconds: int) -> None:
    """Start the pods; start the last one late, and kill the second in mid-run."""
    for pod in pods[:-1]:
        pod.start()
    _sleep_until(epoch + timedelta(seconds=seconds * 0.2))
    pods[-1].start()
    _sleep_until(epoch + timedelta(seconds=seconds * 0.5))
    pods[1].process.send_signal(signal.SIGKILL)
    print("shard 1 was killed:", pods[1].process.wait(10), flush=True)
    time.sleep(2)
    pods[1].start()


def report(shards: Messages, whole: Messages, failed: list[int], logs: list[str]) -> None:
    """Print the comparison, and exit with 1 if something differs."""
    missing = extra = repeated = 0
    for topic in whole.keys() | shards.keys():
        ours, theirs = shards.get(topic, []), whole.get(topic, [])
        missing += len(set(theirs) - set(ours))
        extra += len(set(ours) - set(theirs))
        repeated += len(ours) - len(set(ours))
    total = sum(map(len, whole.values()))
    print(f"one run: {total:,} messages on {len(whole):,} topics")
    print(
        f"the shards: {sum(map(len, shards.values())):,} messages; {missing:,} missing, "
        f"{extra:,} that the one run has not, {repeated:,} twice"
    )
    if failed or missing or extra:
        print(*logs, sep="\n", file=sys.stderr)
        sys.exit(f"not the same; failed: {failed}")


def _sleep_until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


if __name__ == "__main__":
    main()
