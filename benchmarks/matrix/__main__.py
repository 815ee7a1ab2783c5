"""The fault matrix: provoke each fault, compare with the promise, write docs/reliability.md.

Exits 1 if a promise is not kept. With the names of groups only they run, and their sections of
the page are replaced. `--short` runs a part in less than two minutes and writes nothing.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from pathlib import Path

from benchmarks.matrix import (
    chaos_row,
    clock_rows,
    convention_rows,
    embedded_rows,
    input_rows,
    network,
    page,
    permission_row,
    plugin_rows,
    refusals,
    reload_rows,
    resume_rows,
    signal_rows,
    soak_row,
    spool_rows,
    stalls,
    third_party,
)
from benchmarks.matrix.row import Group, Outcome, Row, Scene
from tests.fixtures import prepared
from tests.fixtures.canary import assert_no_canary

_AT_ONCE = 8
_SEARCHED = 1_000_000
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
GROUPS: dict[str, Group] = {
    "network": network.GROUP,
    "stalls": stalls.GROUP,
    "refusals": refusals.GROUP,
    "files": permission_row.GROUP,
    "signals": signal_rows.GROUP,
    "clock": clock_rows.GROUP,
    "spool": spool_rows.GROUP,
    "reload": reload_rows.GROUP,
    "resume": resume_rows.GROUP,
    "plugins": plugin_rows.GROUP,
    "third_party": third_party.GROUP,
    "input": input_rows.GROUP,
    "conventions": convention_rows.GROUP,
    "embedded": embedded_rows.GROUP,
    "chaos": chaos_row.GROUP,
    "soak": soak_row.GROUP,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", choices=[[], *GROUPS], help="only these groups")
    parser.add_argument("--short", action="store_true", help="small sizes; writes no page")
    parser.add_argument("--only", metavar="PATTERN", help="rows whose function has this name")
    options = parser.parse_args()
    # The soak takes as long as all others: only by its name.
    groups = [GROUPS[name] for name in options.groups or [*GROUPS][:-1]]
    chosen = [list(_chosen(group, options.short, options.only)) for group in groups]
    sections: dict[str, str] = {}
    failed = 0
    # Before the threads that share it.
    prepared.gridsim("--version")
    # The short form judges no times that other rows could disturb.
    with ThreadPoolExecutor(_AT_ONCE if options.short else 1) as pool:
        results = pool.map(partial(run, short=options.short), chain.from_iterable(chosen))
        for group, rows in zip(groups, chosen, strict=True):
            ran = list(islice(results, len(rows)))
            failed += sum(bool(one.outcome.failures) for one in ran)
            sections[group.title] = page.section(group.title, ran)
            if not options.short and not options.only:
                page.write(PAGE, sections, [one.title for one in GROUPS.values()])
    print(f"{failed} rows not as promised" if failed else "all rows as promised")
    return int(bool(failed))


def _chosen(group: Group, short: bool, only: str | None) -> Iterator[Row]:
    for row in group.rows:
        if (row.short or not short) and fnmatch.fnmatch(row.run.__name__, only or "*"):
            yield row


def leaks(folder: Path) -> list[str]:
    """Return the files of a row that have the password of its connections, or a part of it."""
    found = []
    for path in folder.rglob("*"):
        # Of long files, which are readings and ledgers, the beginning has all that is not numbers.
        if path.is_file() and not path.is_symlink():
            small = path.stat().st_size < _SEARCHED
            searched = path if small else path.open("rb").read(_SEARCHED)
            try:
                assert_no_canary(searched)
            except AssertionError:
                found.append(f"the password is in {path.name}")
    return found


def run(row: Row, *, short: bool) -> page.Ran:
    """Run a row in an empty folder and print its result. An error in it is a failure."""
    outcome = Outcome()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gridsim-matrix-") as folder:
        try:
            row.run(Scene(Path(folder), short), outcome)
        except Exception as error:
            traceback.print_exc()
            outcome.failures.append(f"{type(error).__name__}: {error}")
        outcome.extend(leaks(Path(folder)))
        outcome.hide(folder)
    ran = page.Ran(row, outcome, time.monotonic() - began)
    print(f"{ran.verdict:4} {ran.seconds:5.1f} s  {row.fault}: {ran.seen}", flush=True)
    return ran


if __name__ == "__main__":
    sys.exit(main())
