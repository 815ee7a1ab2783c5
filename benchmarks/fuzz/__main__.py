"""The fuzzing of every input that others write; writes docs/fuzzing.md.

    python -m benchmarks.fuzz --cases 200000

hypothesis makes the cases: valid inputs with changes, and inputs made of the parts of a grammar.
Exits 1 if an input ends in an exception that is not a refusal, takes a second, or if the memory of
the process grows. The inputs that failed are in build/fuzz.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.fuzz.report import write_page
from benchmarks.fuzz.targets import SHARES
from benchmarks.fuzz.trying import fuzz

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "fuzzing.md"
LEAST_OF_PAGE = 200_000
"""The number of cases from which on the page is written."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", nargs="*", help=f"only these of {', '.join(SHARES)}")
    parser.add_argument("--cases", type=int, default=200_000, help="the cases of all inputs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="inputs at the same time")
    options = parser.parse_args()
    if unknown := set(options.inputs) - set(SHARES):
        parser.error(f"{', '.join(unknown)}: there are {', '.join(SHARES)}")
    names = options.inputs or list(SHARES)
    # Each in its own process, so that the memory is that of this input alone.
    with ProcessPoolExecutor(options.workers, max_tasks_per_child=1) as pool:
        jobs = [
            pool.submit(fuzz, name, round(options.cases * SHARES[name]), options.seed)
            for name in names
        ]
        tallies = [job.result() for job in jobs]
    if not options.inputs and options.cases >= LEAST_OF_PAGE:
        write_page(PAGE, tallies, options.seed)
    return int(any(one.failed for one in tallies))


if __name__ == "__main__":
    sys.exit(main())
