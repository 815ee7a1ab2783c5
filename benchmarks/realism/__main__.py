"""The checks of the models against published figures and pvlib, and the writer of docs/realism.md.

Prints every comparison; exit status 1 if one is outside its tolerance. Seeds are fixed: only
the figures of the last group, which are times, differ from run to run. With the names of groups,
only they run, and their sections of the page are replaced.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from traceback import print_exception

from benchmarks.realism import (
    battery,
    blind,
    blind_measured,
    climate,
    clouds,
    cost,
    day,
    ev,
    ev_kinds,
    grid,
    heat,
    home,
    homes,
    household,
    others,
    places,
    randomness,
    solar,
    transformer,
    wind,
)
from benchmarks.realism.report import Check, Group, exit_status, spliced, summary, table

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "realism.md"
PLOTS = ROOT / "docs" / "realism"
INTRO = """`make realism` writes this page: it runs gridsim's models against published figures,
and against [pvlib](https://pvlib-python.readthedocs.io) in the same run. Exit status 1 means
that a check is outside its tolerance. A dash as verdict marks a figure that is shown without
being judged. `make realism GROUPS="homes day"` runs a part of it and replaces its sections;
each section states its date and version."""

GROUPS: dict[str, Callable[[Path], Group]] = {
    "randomness": randomness.run,
    "solar": solar.run,
    "climate": climate.run,
    "clouds": clouds.run,
    "battery": battery.run,
    "ev": ev.run,
    "ev_kinds": ev_kinds.run,
    "household": household.run,
    "homes": homes.run,
    "transformer": transformer.run,
    "grid": grid.run,
    "blind": blind.run,
    "blind_measured": blind_measured.run,
    "wind": wind.run,
    "others": others.run,
    "heat": heat.run,
    "home": home.run,
    "day": day.run,
    "places": places.run,
    "cost": cost.run,
}


_DEAREST = ("day", "ev_kinds", "blind_measured", "clouds", "blind", "household", "ev")
"""Started first, so that no core waits for one of them at the end."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", choices=[[], *GROUPS], help="only these sections")
    only = parser.parse_args().groups
    PLOTS.mkdir(parents=True, exist_ok=True)
    names = [name for name in GROUPS if name in only or not only]
    lacks = blind_measured.missing() if "blind_measured" in names else None
    if lacks:
        print(f"blind_measured {lacks}: its section stays as it is\n")
        names.remove("blind_measured")
    run = _run()
    # Two processes are enough for two cores: a library with threads of its own only waits.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    done: dict[str, Group] = {}
    with ProcessPoolExecutor(2) as pool:
        # Times are taken last, when nothing else runs.
        first = [name for name in (*_DEAREST, *sorted(set(GROUPS) - {*_DEAREST, "cost"}))
                 if name in names]  # fmt: skip
        waiting = {pool.submit(_ran, name): name for name in first}
        for result in as_completed(waiting):
            done[waiting[result]] = _kept(run, *result.result())
    if "cost" in names:
        done["cost"] = _kept(run, *_ran("cost"))
    groups = [done[name] for name in names]
    print(summary(groups))
    if not only and not lacks and all(group.about for group in groups):
        # In the order of the groups, and without sections of groups that are gone.
        PAGE.write_text(spliced("", groups, INTRO, run))
    return exit_status(groups)


def _kept(run: str, group: Group, seconds: float) -> Group:
    """Print the group, and put it on the page if it ran to its end."""
    print(table(group), f"{seconds:.0f} s of processor time", sep="\n", end="\n\n", flush=True)
    if group.about:
        PAGE.write_text(spliced(PAGE.read_text(), [group], INTRO, run))
    return group


def _ran(name: str) -> tuple[Group, float]:
    """Return the group's result; an error in it becomes a failed check, so that the other groups
    still run.
    """
    # pvlib warns of future changes in pandas.
    warnings.filterwarnings("ignore", message="DatetimeIndex.dayofyear")
    begun = process_time()
    try:
        group = GROUPS[name](PLOTS)
    except Exception as error:
        print_exception(error)
        said = f"{type(error).__name__}: {error}"
        check = Check("it runs", "-", "-", said, "holds", passed=False)
        group = Group(name, "", [check])
    return group, process_time() - begun


def _run() -> str:
    """Return the date and the commit, and whether more than the documentation changed since."""
    git = ("git", "-C", str(ROOT))
    head = subprocess.run((*git, "rev-parse", "--short", "HEAD"), capture_output=True, text=True)
    same = subprocess.run((*git, "diff", "--quiet", "HEAD", "--", ".", ":!docs"))
    changes = ", with changes" if same.returncode else ""
    version = head.stdout.strip() or "an unknown commit"
    return f"Run on {datetime.now(UTC):%Y-%m-%d} at {version}{changes}"


if __name__ == "__main__":
    sys.exit(main())
