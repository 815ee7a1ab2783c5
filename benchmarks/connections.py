"""10,000 connections at 1 Hz from one process, one per DER, and the cost of each.

Publishes to the benchmark's own Mosquitto. The memory is the growth of the process from before
connecting to the end of the run, without the broker's.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import sys
import time
from dataclasses import replace

import numpy as np
from mosquitto import mosquitto, version

from gridsim.testing import RecordingReceipt, make_batch, make_roster, make_run
from gridsim_plugins.formats.json import Json
from gridsim_plugins.mqtt.transport import Mqtt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--qos", type=int, choices=(0, 1, 2), default=0)
    options = parser.parse_args()
    # The broker, too, needs a descriptor for each; it inherits this.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    roster = make_roster([1] * options.connections)
    batch = make_batch(roster)
    encoder = Json(Json.Settings(), "der", roster)
    encoder.encode(batch)
    with mosquitto() as port:
        given = {"host": "127.0.0.1", "port": port, "connections": "der", "qos": options.qos}
        transport = Mqtt(Mqtt.Settings.model_validate(given), encoder, make_run(roster))
        print(f"Mosquitto {version()}: {transport.describe()}")
        # Modules that the first connection loads do not count as its cost.
        import gridsim_plugins.mqtt.publish.per_device  # noqa: F401

        memory, descriptors = _memory(), _descriptors()
        began = time.monotonic()
        transport.connect()
        connected_s = time.monotonic() - began
        receipts, lates, spent = [], [], []
        computed = time.process_time()
        began = time.monotonic()
        for second in range(options.seconds):
            while (left := began + second - time.monotonic()) > 0:
                time.sleep(min(left, 0.2))
                transport.idle()
            lates.append(time.monotonic() - began - second)
            tick = replace(batch, timestamp_ms=batch.timestamp_ms + 1000 * second)
            receipts.append(RecordingReceipt(len(batch)))
            start = time.monotonic()
            transport.write(tick, receipts[-1])
            spent.append(time.monotonic() - start)
        computed = time.process_time() - computed
        gc.collect()
        each = (_memory() - memory) / options.connections
        files = (_descriptors() - descriptors) / options.connections
        transport.close()
    delivered = sum(receipt.delivered_rows for receipt in receipts)
    lost = len(batch) * options.seconds - delivered
    held = not lost and max(lates) < 1.0
    print(
        f"connected in {connected_s:.1f} s; per connection {each / 1e3:.1f} kB, {files:.2f} files"
    )
    print(
        f"{options.seconds} s at 1 Hz: a tick takes {np.median(spent):.2f} s until it is confirmed "
        f"(p99 {np.percentile(spent, 99):.2f} s), {computed / options.seconds:.2f} core-seconds/s"
    )
    print(f"{delivered:,} delivered, {lost:,} not; worst start {max(lates):.2f} s late: ", end="")
    print("held" if held else "NOT held")
    sys.exit(not held)


def _memory() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


if __name__ == "__main__":
    main()
