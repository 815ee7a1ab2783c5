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
from pathlib import Path

from benchmarks.matrix import network, page, plugin_rows, spool_rows
from benchmarks.matrix.row import Group, Outcome, Row, Scene

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
GROUPS: dict[str, Group] = {
    "network": network.GROUP,
    "plugins": plugin_rows.GROUP,
    "spool": spool_rows.GROUP,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", choices=[[], *GROUPS], help="only these groups")
    parser.add_argument("--short", action="store_true", help="small sizes; writes no page")
    parser.add_argument("--only", metavar="PATTERN", help="rows whose function has this name")
    options = parser.parse_args()
    groups = {name: GROUPS[name] for name in options.groups or GROUPS}
    sections: dict[str, str] = {}
    failed = 0
    for group in groups.values():
        rows = [row for row in group.rows if row.short or not options.short]
        if options.only:
            rows = [row for row in rows if fnmatch.fnmatch(row.run.__name__, options.only)]
        ran = [run(row, short=options.short) for row in rows]
        failed += sum(bool(one.outcome.failures) for one in ran)
        sections[group.title] = page.section(group.title, ran)
        if not options.short and not options.only:
            page.write(PAGE, sections, [one.title for one in GROUPS.values()])
    print(f"{failed} rows not as promised" if failed else "all rows as promised")
    return int(bool(failed))


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
    ran = page.Ran(row, outcome, time.monotonic() - began)
    print(f"{ran.verdict:4} {ran.seconds:5.1f} s  {row.fault}: {ran.seen}", flush=True)
    return ran


if __name__ == "__main__":
    sys.exit(main())
