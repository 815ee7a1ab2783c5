"""A long run of a large fleet with all that a run may have, and a broker that restarts."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from benchmarks.matrix.accounts import in_metrics, in_status, printed
from benchmarks.matrix.broker import broker, find, mqtt
from benchmarks.matrix.fleet import FleetRun
from benchmarks.matrix.logs import late_ticks, repeated
from benchmarks.matrix.row import Group, Outcome, Scene
from tests.fixtures.ports import free_port

GROUP = Group("Soak")
MINUTES = 30
DERS = 20_000
_WARM_MINUTES = 5
"""The first part of the run, whose growth of memory does not count: buffers and caches fill."""
_SAMPLE_S, _LOOK_S = 10.0, 0.1
_CYCLE_MINUTES = 15
"""The load of homes computes their appliances for a quarter of an hour, and then forgets them."""
_RESTART_S = 300.0
_CONFIG = Path(__file__).parents[2] / "configs" / "fleet-10k.toml"
_FAULTS = """
[[faults]]
type = "offline"
per_day = 20
duration_s = { uniform = [10, 120] }
[[faults]]
type = "noise"
projects = ["HOME_0*"]
[[faults]]
type = "drop"
probability = 0.01
[[faults]]
type = "delay"
probability = 0.01
delay_s = 20
[[faults]]
type = "duplicate"
probability = 0.01
"""


def _text(port: int, page: int) -> str:
    """Return the configuration: the fleet of 10,000 scaled, with faults, page and spool."""
    text = _CONFIG.read_text().partition("[[transports]]")[0]
    text = text.replace("count = 4000", f"count = {DERS * 2 // 5}")
    text = text.replace("count = 1000", f"count = {DERS // 10}")
    text += _FAULTS + f'\n[[views]]\ntype = "web"\nport = {page}\n'
    return text + mqtt(port, "qos = 1", 'spool = { path = "spool.sqlite" }')


@contextmanager
def _reader(port: int, folder: Path) -> Iterator[Path]:
    """Count the messages that arrive at another client, whose session the broker keeps."""
    counted = folder / "counted"
    words = [find("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(port), "-q", "1"]
    words += ["-c", "-i", "reader", "-t", "projects/#", "-F", "x"]
    with counted.open("wb") as out:
        subscriber = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        counter = subprocess.Popen(["wc", "-l"], stdin=subprocess.PIPE, stdout=out)
        # Copied here, so that the end of the reader is the end of the counter's input.
        pump = subprocess.Popen(["cat"], stdin=subscriber.stdout, stdout=counter.stdin)
        try:
            time.sleep(1)
            yield counted
        finally:
            time.sleep(5)
            subscriber.terminate()
            subscriber.wait(10)
            pump.wait(10)
            assert counter.stdin is not None
            counter.stdin.close()
            counter.wait(10)


def _held(seconds: Sequence[float], megabytes: Sequence[float]) -> list[float]:
    """Return the least memory of each whole minute: what the run holds, MB.

    It returns what it has freed every ten seconds. In between, its memory is that of the largest
    tick so far, which depends on what else the machine does.
    """
    minute, size = np.array(seconds) // 60, np.array(megabytes)
    return [float(size[minute == one].min()) for one in range(MINUTES - 1)]


def _growth(held: Sequence[float]) -> float:
    """Return the growth after the first part, MB in ten minutes: by the mean difference between
    minutes at the same time of their quarter of an hour.
    """
    values = np.array(held[_WARM_MINUTES:])
    grown = values[_CYCLE_MINUTES:] - values[:-_CYCLE_MINUTES]
    return float(grown.mean() * 10 / _CYCLE_MINUTES)


def _ledger_fates(path: Path) -> tuple[Counter[str], int, int]:
    """Return the readings by fate, those without one, and those that were sent again."""
    with closing(sqlite3.connect(path)) as ledger:
        fates = Counter(dict(ledger.execute("SELECT fate, sum(rows) FROM fates GROUP BY fate")))
        [(emitted,)] = ledger.execute("SELECT sum(rows) FROM batches").fetchall()
        [(again,)] = ledger.execute("SELECT coalesce(sum(rows), 0) FROM retries").fetchall()
    return fates, emitted - fates.total(), again


@GROUP.row(
    f"{MINUTES} minutes of {DERS:,} DERs at 1 Hz with faults, ledger, spool, page and metrics; the "
    "broker restarts every 5 minutes",
    "the memory that it holds grows by less than 1 MB in ten minutes; no reading lost; all "
    "accounts equal; what was delivered is at the far end",
    short=False,
)
def soak(scene: Scene, outcome: Outcome) -> None:
    page = free_port()
    at, size = list[float](), list[float]()
    with broker(scene.folder) as mosquitto, _reader(mosquitto.ports["only"], scene.folder) as count:
        text = _text(mosquitto.ports["only"], page)
        duration = f"{MINUTES * 60}s"
        with FleetRun(scene.folder, text, "--duration", duration, own_interpreter=True) as run:
            run.wait_for("watch it")
            began = restarted = time.monotonic()
            read = 0.0
            while run.process.poll() is None:
                at.append(time.monotonic() - began)
                size.append(run.memory_mb())
                if at[-1] >= read + _SAMPLE_S:
                    read = at[-1]
                    _read_page(page)
                if time.monotonic() - restarted > _RESTART_S and at[-1] < MINUTES * 60 - 60:
                    restarted = time.monotonic()
                    mosquitto.stop()
                    mosquitto.start()
                time.sleep(_LOOK_S)
            status = run.process.wait()
    received = int(count.read_text())
    account = printed(run.log)["mqtt"]
    assert run.ledger is not None
    fates, left, again = _ledger_fates(run.ledger)
    held = _held(at, size)
    slope = _growth(held)
    lag = re.search(r"tick lag (.*?);", run.log)
    course = ", ".join(f"{one:.0f}" for one in held[::4])
    outcome.note(
        f"memory held in every fourth minute {course} MB, {slope:+.2f} MB in ten minutes; "
        f"{max(size):.0f} MB at most; tick lag {lag[1] if lag else '?'}; "
        f"{late_ticks(run.log):,} late ticks; "
        f"{account}; {received:,} messages at the far end; {again:,} sent again; exit {status}"
    )
    outcome.check(slope < 1.0, "memory grows")
    outcome.check(status == 0, f"exit {status}")
    outcome.check(account.delivered == account.accepted, "readings lost")
    outcome.check(in_status(run.seen).get("mqtt") == account, "the status differs")
    outcome.check(in_metrics(run.seen).get("mqtt") == account, "the metrics differ")
    outcome.check(fates["delivered"] == account.delivered and not left, f"the ledger: {fates}")
    outcome.check(
        account.delivered <= received <= account.delivered + again, "the far end has others"
    )
    outcome.check(not json.loads(run.seen.read_text())["broken"], "an account did not add up")
    outcome.extend(repeated(run.log))


def _read_page(port: int) -> None:
    for path in ("/metrics", "/healthz"):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                answer.read()
        except OSError:
            return  # It has ended, or it is busy; memory and accounts are judged.
