"""The cost of the web view: 100,000 devices, 50 open pages, a tick a second in real time.

    python benchmarks/web.py [--devices 100000] [--pages 50] [--seconds 20] > /dev/null

Readings go to standard output, and the results to standard error: the time of a tick without the
view and with it, their ratio, and the bytes per second of each page, for the stream and for the
heat map that a page fetches every 5 s. The clients are part of the measured process.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from tests.fixtures.sse import StreamClient

CONFIG = """
[simulation]
tick_s = 1.0
speed = 1
start = 2026-06-21T15:00:00Z
[site]
latitude = 45.96
longitude = -66.64
timezone = "America/Moncton"
[[projects]]
id = "HOME_{{n}}"
count = {projects}
contract_threshold = 2.0
[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = 6.0
[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
[[transports]]
type = "stdout"
"""
VIEW = '\n[[views]]\ntype = "web"\nport = 0\n'
_FLEET_S = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args()
    config = CONFIG.format(projects=args.devices // 2)
    without, _, _ = measure(config, 0, args.seconds)
    alone, _, _ = measure(config + VIEW, 0, args.seconds)
    with_pages, stream, fleet = measure(config + VIEW, args.pages, args.seconds)
    report(f"{args.devices:,} devices; processor time per tick of the whole process, ms")
    report(f"without the view        {1000 * without:8.1f}")
    report(f"with it, no page        {1000 * alone:8.1f}   ratio {alone / without:.3f}")
    report(
        f"with {args.pages:3} pages         {1000 * with_pages:8.1f}   "
        f"ratio {with_pages / without:.3f}"
    )
    report(f"stream {stream / 1000:.1f} kB/s and heat map {fleet / 1000:.1f} kB/s for each page")


def report(line: str) -> None:
    print(line, file=sys.stderr)


def measure(config: str, pages: int, seconds: float) -> tuple[float, float, float]:
    """Return the processor time per tick, and the bytes per second of a page's two parts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.toml")
        path.write_text(config)
        with Run(make_plan(Options(path))) as run:
            clients: list[StreamClient] = []
            if pages:
                while not (url := run.status().views[0].where):
                    run.wait(0.2)
                clients = [StreamClient(url) for _ in range(pages)]
            stopping = threading.Event()
            fetched = [0]
            threads = [threading.Thread(target=_read, args=(one,)) for one in clients]
            if pages:
                threads.append(
                    threading.Thread(target=_fetch, args=(url, pages, stopping, fetched))
                )
            for thread in threads:
                thread.start()
            run.wait(3.0)
            tick, cpu, began = run.status().tick, time.process_time(), time.monotonic()
            received, before = sum(one.received for one in clients), fetched[0]
            run.wait(seconds)
            passed = time.monotonic() - began
            ticks = run.status().tick - tick
            cost = (time.process_time() - cpu) / max(ticks, 1)
            received = sum(one.received for one in clients) - received
            fleet = fetched[0] - before
            stopping.set()
        for thread in threads:
            thread.join()
        for one in clients:
            one.close()
    each = max(pages, 1) * passed
    return cost, received / each, fleet / each


def _read(client: StreamClient) -> None:
    while client._read():
        client._buffer = b""


def _fetch(url: str, pages: int, stopping: threading.Event, fetched: list[int]) -> None:
    request = urllib.request.Request(f"{url}/api/v1/fleet", headers={"Accept-Encoding": "gzip"})
    while not stopping.wait(_FLEET_S / pages):
        with urllib.request.urlopen(request) as answer:
            fetched[0] += len(answer.read())


if __name__ == "__main__":
    main()
