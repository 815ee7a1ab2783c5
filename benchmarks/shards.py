"""The bytes and the settled events of every shipped configuration, whole and in shards.

python benchmarks/shards.py
python benchmarks/shards.py --only chaos --counts 2,4
python benchmarks/shards.py --engine ray --counts 1,2,4,7

Runs each configuration at speed 0 as one run, and again as 2, 4 and 7 shards (at most one a
project), each by `--shard`, or all by the driver of an engine. Every device, and with framing
project every project, writes its own file, and the digests of all files must be equal; so must the
readings of each tick, the settled events and the episodes of the faults in the ledgers, and in the
ledger of an engine the violations and the true reductions. Fails if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from digests import CASES, ENVIRONMENT, ROOT, SEED, Case, _inline, _outputs, start_options

from gridsim.api import MEASURANDS as MEASURED

# All measurands: many depend on the other devices of the site.
MEASURANDS = Case(
    "configs/neighbourhood.toml",
    "3h",
    ("--set", "simulation.tick_s=60.0", "--set", f"simulation.measurands={_inline([*MEASURED])}"),
    ({"framing": "der", "format": {"type": "json", "extra_fields": ["seq", *MEASURED]}},),  # type: ignore[dict-item]
)

Result = dict[str, Any]
"""Digests by file, and rows of the ledger by name."""

_SETTLED = "SELECT * FROM settled ORDER BY start, project_id, event"
_SUMS = "SELECT tick, sum(rows) FROM batches GROUP BY tick ORDER BY tick"
_TABLES = ("violations", "true_reductions", "unmeasured")
"""Tables whose rows have numbers of projects, which are those of one run once they are merged."""
_EPISODES = """SELECT f.id, d.der_id, e.start_ms, e.end_ms
FROM episodes e JOIN faults f USING (fault) JOIN devices d USING (device) ORDER BY 1, 2, 3"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="a part of the configurations' names")
    parser.add_argument(
        "--engine", default="", choices=("", "processes", "ray"), help="without it: by --shard"
    )
    parser.add_argument("--sync", default="clock")
    parser.add_argument("--counts", default="2,4,7", help="numbers of shards")
    options = parser.parse_args()
    failed = False
    for case in (*CASES, MEASURANDS):
        name = f"{case.config}, all measurands" if case is MEASURANDS else case.config
        if options.only not in name:
            continue
        whole, projects = run(case, 1)
        for count in dict.fromkeys(min(int(n), projects) for n in options.counts.split(",")):
            if count == 1 and not options.engine:
                print(f"{name}: one project, so no shards")
                continue
            parts, _ = run(case, count, options.engine, options.sync)
            names = parts.keys() | (whole.keys() - {*_TABLES})
            different = sorted(n for n in names if whole.get(n) != parts.get(n))
            failed |= bool(different)
            files = sum(isinstance(one, str) for one in whole.values())
            rows = ", ".join(f"{len(whole[name])} {name}" for name in ("settled", "episodes"))
            verdict = f"DIFFERS in {', '.join(different[:5])}" if different else "the same"
            how = f"{count} shards by {options.engine or '--shard'}"
            print(f"{name}: {how}, {files:,} files, {rows}: {verdict}", flush=True)
    if failed:
        sys.exit("what is marked DIFFERS is not the same in shards")


def run(case: Case, count: int, engine: str = "", sync: str = "") -> tuple[Result, int]:
    """Run a configuration in shards; return its result, and the number of its projects."""
    outputs = _outputs(case, ROOT)
    with tempfile.TemporaryDirectory() as folder:
        transports = []
        for number, output in enumerate(outputs.values()):
            owner = {"der": "{der_id}", "project": "{project_id}"}.get(output["framing"])
            if owner is not None:
                path = f"{folder}/{number}/{owner}"
                transports.append({"type": "file", "path": path, **output})
        ledger, ledgers = "{shard}", [Path(folder, f"{n}-of-{count}.sqlite") for n in range(count)]
        processes = [("--shard", f"{index}/{count}") for index in range(count)]
        if engine:
            ledger, ledgers = "run", [Path(folder, "run.sqlite")]
            execution = f'execution={{engine="{engine}", shards={count}, sync="{sync}"}}'
            processes = [("--set", execution)]
        for number, words in enumerate(processes):
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "gridsim", "--config", str(ROOT / case.config)),
                    *("--speed", "0", "--seed", str(SEED), "--duration", case.duration, "--no-web"),
                    *start_options(case, ROOT),
                    *("--set", f"transports=[{', '.join(map(_inline, transports))}]"),
                    *("--set", "sources=[]", "--set", f'ledger.path="{folder}/{ledger}.sqlite"'),
                    *(word.format(root=ROOT) for word in case.options),
                    *words,
                ],
                cwd=ROOT,
                env={**os.environ, **ENVIRONMENT},
                capture_output=True,
                text=True,
            )
            if done.returncode:
                sys.exit(f"{case.config}, process {number} failed:\n{done.stderr}")
        result: Result = dict(_digests(Path(folder)))
        result["settled"] = _joined(ledgers, _SETTLED, 1)
        result["episodes"] = _joined(ledgers, _EPISODES, 1)
        result["readings by tick"] = _summed(ledgers)
        if len(ledgers) == 1:
            result |= {name: _joined(ledgers, f"SELECT * FROM {name}", 1) for name in _TABLES}
        ids = _joined(ledgers, "SELECT project_id FROM projects ORDER BY project", 0)
        return result, len(ids)


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".sqlite" not in path.name:
            with path.open("rb") as file:
                yield str(path.relative_to(folder)), hashlib.file_digest(file, "sha256").hexdigest()


def _joined(ledgers: Iterable[Path], query: str, key: int) -> list[tuple[Any, ...]]:
    """Return the rows of all ledgers; those of one run in the order of the query."""
    rows = [row for path in ledgers for row in _rows(path, query)]
    return sorted(rows, key=repr) if key else rows


def _summed(ledgers: Iterable[Path]) -> list[tuple[int, int]]:
    total: dict[int, int] = {}
    for path in ledgers:
        for tick, rows in _rows(path, _SUMS):
            total[tick] = total.get(tick, 0) + rows
    return sorted(total.items())


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


if __name__ == "__main__":
    main()
