"""The cost of a spool: the time of a batch from the offer to its confirmation, by a transport that
takes everything at once, with the queue in memory and with a spool.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from gridsim.api import Batch, Receipt
from gridsim.delivery import Runner
from gridsim.delivery.spool import SpoolBuffer, SpoolStore
from gridsim.testing import make_batch, make_roster
from tests.unit.delivery.scripted import POLICY, Scripted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="the folder of the spool, to choose the disk")
    folder = parser.parse_args().folder
    for devices, ticks in ((8, 1000), (1000, 500), (20_000, 50), (100_000, 20)):
        for spooled in (False, True):
            print(f"{devices:7,} devices, {'spool ' if spooled else 'memory'}: ", end="")
            print(measured(devices, ticks, folder if spooled else None, spooled), flush=True)


def measured(devices: int, ticks: int, folder: str | None, spooled: bool) -> str:
    """Offer `ticks` batches, each when the last one is settled, and return the times."""
    roster = make_roster((devices // 2, devices // 2))
    batch = make_batch(roster)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        buffer = None
        if spooled:
            store = SpoolStore(Path(place, "spool.sqlite"), roster, "")
            buffer = SpoolBuffer("spool", store, roster, limit_bytes=10**9, memory_bytes=64 * 10**6)
        runner = Runner("spool", Scripted(_take), POLICY, buffer=buffer)
        runner.start()
        offers = []
        cpu = time.process_time()
        for tick in range(ticks):
            began = time.perf_counter()
            runner.offer(replace(batch, number=tick * devices))
            offers.append(time.perf_counter() - began)
            if not runner.wait_settled(60):
                sys.exit("a batch was not settled")
        cpu = time.process_time() - cpu
        settled = np.median(list(runner.timing.settled))
        runner.close()
        runner.wait(60)
        runner.settle()
    return (
        f"settled after {1000 * settled:6.2f} ms, the engine waits {1000 * np.median(offers):5.3f} "
        f"ms, {1000 * cpu / ticks:6.2f} ms of processor time per tick, "
        f"{1e6 * cpu / ticks / devices:5.2f} us per reading"
    )


def _take(transport: Scripted, batch: Batch, receipt: Receipt) -> None:
    pass


if __name__ == "__main__":
    main()
