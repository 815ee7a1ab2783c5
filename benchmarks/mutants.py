"""Report how many small changes of the code the tests notice.

python benchmarks/mutants.py
python benchmarks/mutants.py gridsim.simulation.batch gridsim.config.settings

Runs mutmut over the rooms that `[tool.mutmut]` in pyproject.toml names, or over some modules or
packages of them, and prints the score of each module: the share of the mutants that a test
notices. mutmut keeps its results in `mutants/` and tests again only what has changed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

NOTICED = ("killed", "timeout", "segfault")
_RESULT = re.compile(r"^\s*(?P<name>(?P<module>[\w.]+)\.x\S+): (?P<status>.+)$")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", help="all of the configured rooms if not given")
    options = parser.parse_args()
    command = Path(sys.executable).with_name("mutmut")
    patterns = [f"{module}.*" for module in options.modules]
    # It fails if a mutant survives or if it cannot run; only then are there no results.
    subprocess.run([command, "run", *patterns])
    listed = subprocess.run(
        [command, "results", "--all", "true"], capture_output=True, text=True, check=True
    )
    by_module: dict[str, Counter[str]] = defaultdict(Counter)
    survivors = []
    for found in filter(None, map(_RESULT.match, listed.stdout.splitlines())):
        module, status = found["module"], found["status"]
        if patterns and not any(f"{module}.".startswith(one[:-1]) for one in patterns):
            continue
        by_module[module][status] += 1
        if status not in (*NOTICED, "not checked"):
            survivors.append(f"{found['name']}: {status}")
    print("\nnot noticed (`mutmut show NAME` prints the change):")
    print("\n".join(survivors) or "none")
    print(f"\n{'score':>6} {'noticed':>8} {'tested':>7}  module")
    total: Counter[str] = Counter()
    for module, counts in sorted(by_module.items()):
        _print(module, counts)
        total += counts
    _print("all", total)
    if not total.total() - total["not checked"]:
        sys.exit("no mutant was tested")


def _print(name: str, counts: Counter[str]) -> None:
    tested = counts.total() - counts["not checked"]
    noticed = sum(counts[status] for status in NOTICED)
    score = f"{noticed / tested:.1%}" if tested else "-"
    print(f"{score:>6} {noticed:>8,} {tested:>7,}  {name}")


if __name__ == "__main__":
    main()
