"""The trials of the cases of an input."""

from __future__ import annotations

import gc
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from benchmarks.fuzz.report import LIMIT_S, Tally
from benchmarks.fuzz.target import Target
from benchmarks.fuzz.targets import folders, make_target
from gridsim.logs import disable_once

CHUNK = 1000


def fuzz(name: str, cases: int, first_seed: int) -> Tally:
    """Try a number of cases of an input and print the result."""
    disable_once()
    with contextmanager(folders)() as folder:
        return _fuzz(name, make_target(name, folder), cases, first_seed)


def _fuzz(name: str, target: Target, cases: int, first_seed: int) -> Tally:
    tally = Tally(target.title)
    began = time.monotonic()
    first_mb = 0.0
    number = 0
    while tally.cases < cases:
        _chunk(name, target, tally, min(CHUNK, cases - tally.cases), first_seed * 10_000 + number)
        number += 1
        if not first_mb and tally.cases >= cases // 10:
            first_mb = _size_mb()
    tally.growth_mb = _size_mb() - first_mb
    tally.seconds = time.monotonic() - began
    print(
        f"{target.title}: {tally.cases:,} cases, {tally.accepted:,} accepted, "
        f"slowest {tally.slowest_s * 1000:.0f} ms, growth {tally.growth_mb:+.1f} MB, "
        f"{tally.seconds:.0f} s, {sum(tally.failures.values())} failed",
        flush=True,
    )
    for failure, count in tally.failures.most_common():
        print(f"  {count:6} {failure}", flush=True)
    return tally


def _chunk(name: str, target: Target, tally: Tally, cases: int, number: int) -> None:
    @seed(number)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(target.cases)
    def each(case: Any) -> None:
        _try(name, target, tally, case)

    each()


def _try(name: str, target: Target, tally: Tally, case: Any) -> None:
    tally.cases += 1
    began = time.thread_time()
    try:
        target.read(case)
    except target.refusals as refusal:
        str(refusal)
    except Exception as error:
        trace = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in trace if "gridsim" in frame.filename] or list(trace)
        place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
        _keep(name, tally, case, f"{type(error).__name__} at {place}: {str(error)[:120]!r}", error)
    else:
        tally.accepted += 1
    took = time.thread_time() - began
    if took >= LIMIT_S:
        _keep(name, tally, case, f"took {took:.1f} s", None)
    tally.slowest_s = max(tally.slowest_s, took)


def _keep(name: str, tally: Tally, case: Any, failure: str, error: Exception | None) -> None:
    place = failure.partition(": ")[0]
    if not any(known.partition(": ")[0] == place for known in tally.failures):
        folder = Path("build/fuzz")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}-{len(tally.failures)}.txt"
        trace = "".join(traceback.format_exception(error)) if error is not None else ""
        path.write_text(f"{case!r}\n\n{failure}\n{trace}", errors="surrogateescape")
        tally.failures[failure] += 1
        return
    known = next(known for known in tally.failures if known.partition(": ")[0] == place)
    tally.failures[known] += 1


def _size_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6
