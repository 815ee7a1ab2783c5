"""The cost of open pages: 100,000 devices, 50 pages, a tick a second in real time.

    python benchmarks/web.py [--devices 100000] [--pages 50] [--seconds 10] [--turns 3] > /dev/null

Readings go to standard output, and the results to standard error: the processor time per tick of
the run's process without and with pages, in turns in one run, their ratio, and the bytes per second
of each page. A page is a client in another process that behaves like a browser: it keeps the stream
open, and fetches the contracts every 2 s and the heat map every 5 s, or each a second per open page
if that is longer, if they have changed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

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
_FETCHES = {
    "contracts": (2.0, "projects?sort=roster&order=asc&offset=0&limit=26&sparkline=true"),
    "heat map": (5.0, "fleet?show=output"),
}
_CALM_S = 1.0
_SETTLE_S = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--open", metavar="URL", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.open:
        open_pages(args.open, args.pages)
        return
    config = CONFIG.format(projects=args.devices // 2) + VIEW
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.toml")
        path.write_text(config)
        with Run(make_plan(Options(path))) as run:
            while not (url := run.status().views[0].where):
                run.wait(0.2)
            closed, opened, received = [], [], {}
            for _ in range(args.turns):
                closed.append(cost(run, args.seconds))
                command = [sys.executable, __file__, "--open", url, "--pages", str(args.pages)]
                with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as it:
                    it.stdout.readline()
                    opened.append(cost(run, args.seconds))
                    received = json.loads(it.communicate()[0])
    without, alone = (statistics.median(column) for column in zip(*closed, strict=True))
    ms, served = (statistics.median(column) for column in zip(*opened, strict=True))
    ratios = [after / before for (before, _), (after, _) in zip(closed, opened, strict=True)]
    report(f"{args.devices:,} devices; processor time per tick, ms")
    report("               whole process   server's threads")
    report(f"no page        {without:13.1f}   {alone:16.2f}")
    report(f"{args.pages:3} pages      {ms:13.1f}   {served:16.2f}")
    report(f"the server's threads add {100 * (served - alone) / without:.1f} % for these pages")
    report(f"ratios of the whole process, by turn: {', '.join(f'{one:.3f}' for one in ratios)}")
    for name, rate in received.items():
        report(f"{name:10} {rate / 1000:8.1f} kB/s a page")


def report(line: str) -> None:
    print(line, file=sys.stderr)


def cost(run: Run, seconds: float) -> tuple[float, float]:
    """Return the processor time per tick, ms: of this process, and of its server's threads."""
    run.wait(_SETTLE_S)
    tick, cpu, served = run.status().tick, time.process_time(), _served_ms()
    run.wait(seconds)
    ticks = max(run.status().tick - tick, 1)
    return 1000 * (time.process_time() - cpu) / ticks, (_served_ms() - served) / ticks


def _served_ms() -> float:
    """Return the processor time so far of the threads that answer requests."""
    threads = [
        one.native_id
        for one in threading.enumerate()
        if one.name == "web" or one.name.startswith("AnyIO")
    ]
    files = [Path(f"/proc/self/task/{id}/schedstat") for id in threads]
    return sum(int(file.read_text().split()[0]) for file in files if file.exists()) / 1e6


def open_pages(url: str, pages: int) -> None:
    """Keep pages open until standard input ends; print the bytes per second of one as JSON."""
    stopping = threading.Event()
    bytes_of = dict.fromkeys(_FETCHES, 0)
    began = time.monotonic()
    clients = [StreamClient(url) for _ in range(pages)]
    threads = [threading.Thread(target=_read, args=(one,)) for one in clients]
    for name, (every_s, path) in _FETCHES.items():
        where = f"{url}/api/v1/{path}"
        threads.append(
            threading.Thread(target=_fetch, args=(where, pages, every_s, stopping, bytes_of, name))
        )
    for thread in threads:
        thread.start()
    print("open", flush=True)
    sys.stdin.read()
    passed = time.monotonic() - began
    streamed = sum(one.received for one in clients)
    stopping.set()
    for one in clients:
        one.close()
    rates = {"stream": streamed, **bytes_of}
    print(json.dumps({name: size / passed / pages for name, size in rates.items()}))


def _read(client: StreamClient) -> None:
    # The end closes the socket while it is read.
    with suppress(OSError):
        while client._read():
            client._buffer = b""


def _fetch(
    url: str,
    pages: int,
    every_s: float,
    stopping: threading.Event,
    bytes_of: dict[str, int],
    name: str,
) -> None:
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}"
    clients = [http.client.HTTPConnection(parts.netloc) for _ in range(pages)]
    known = [""] * pages
    page = 0
    while not stopping.wait(max(every_s / pages, _CALM_S)):
        page = (page + 1) % pages
        headers = {"Accept-Encoding": "gzip", "If-None-Match": known[page]}
        clients[page].request("GET", path, headers=headers)
        answer = clients[page].getresponse()
        bytes_of[name] += len(answer.read())
        known[page] = answer.headers.get("ETag", "")


if __name__ == "__main__":
    main()
