"""A minute at 1 Hz: 60 ticks, exactly a second apart, for every DER.

Runs the default fleet against a Mosquitto and counts what another client received. Exits 1
if one reading is missing, doubled or out of step.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path

from mosquitto import find, mosquitto, version

from gridsim.running.plan import Options, make_plan

CONFIG = Path(__file__).parent.parent / "configs/default.toml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    with mosquitto() as port:
        reader = subprocess.Popen(
            [find("mosquitto_sub"), "-p", str(port), "-t", "projects/#", "-t", "ready"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert reader.stdout is not None
        _wait_for_subscription(port, reader)
        run = subprocess.run(
            [
                *(sys.executable, "-m", "gridsim", "--config", str(CONFIG)),
                *("--duration", f"{seconds}s"),
                *("--set", "transports.0.host=127.0.0.1", "--set", f"transports.0.port={port}"),
            ]
        )
        _publish(port, "end")
        stamps: dict[str, list[int]] = defaultdict(list)
        for line in reader.stdout:
            if line.strip() == "end":
                break
            if line.startswith("{"):
                record = json.loads(line)
                stamps[record["der_id"]].append(_milliseconds(record["timestamp"]))
        reader.terminate()
    faults = [] if run.returncode == 0 else [f"gridsim exited with {run.returncode}"]
    expected = len(make_plan(Options(CONFIG)).configuration.scenario.roster)
    if len(stamps) != expected:
        faults.append(f"{len(stamps)} DERs reported, not {expected}")
    for der, times in stamps.items():
        if len(times) != seconds:
            faults.append(f"{der}: {len(times)} readings, not {seconds}")
        steps = {b - a for a, b in itertools.pairwise(times)}
        if steps != {1000}:
            faults.append(f"{der}: {sorted(steps)} ms from reading to reading, not 1000")
    print(
        f"Mosquitto {version()}: {len(stamps)} DERs, {seconds} s at 1 Hz, "
        f"{sum(map(len, stamps.values()))} readings received"
    )
    print("\n".join(faults) if faults else "every reading came once, exactly a second apart")
    sys.exit(bool(faults))


def _wait_for_subscription(port: int, reader: subprocess.Popen[str]) -> None:
    """Wait for a retained message, which reaches the reader as soon as it has subscribed."""
    _publish(port, "ready", "-r")
    assert reader.stdout is not None
    if reader.stdout.readline().strip() != "ready":
        sys.exit("mosquitto_sub did not subscribe")


def _publish(port: int, message: str, *more: str) -> None:
    command = [find("mosquitto_pub"), "-p", str(port), "-t", "ready", "-m", message, *more]
    subprocess.run(command, check=True)


def _milliseconds(stamp: str) -> int:
    return round(datetime.fromisoformat(stamp).timestamp() * 1000)


if __name__ == "__main__":
    main()
