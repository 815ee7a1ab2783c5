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


_DEAREST = ("day", "ev_kinds", "clouds", "blind", "ev")
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
    # Two processes are enough for two cores: a library with threads of its own only waits.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    done: dict[str, Group] = {}
    with ProcessPoolExecutor(2) as pool:
        # Times are taken last, when nothing else runs.
        first = sorted(set(names) - {"cost"}, key=lambda name: (name not in _DEAREST, name))
        waiting = {pool.submit(_ran, name): name for name in first}
        for result in as_completed(waiting):
            done[waiting[result]] = _shown(*result.result())
    if "cost" in names:
        done["cost"] = _shown(*_ran("cost"))
    groups = [done[name] for name in names]
    print(summary(groups))
    if all(group.about for group in groups):
        page = PAGE.read_text() if only or lacks else ""
        PAGE.write_text(spliced(page, groups, INTRO, _run()))
    else:
        print(f"{PAGE.name} is left as it is: a group did not run to its end")
    return exit_status(groups)


def _shown(group: Group, seconds: float) -> Group:
    print(table(group), f"{seconds:.0f} s of processor time", sep="\n", end="\n\n", flush=True)
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
    """Return the date, and the commit with what is changed since."""
    git = ("git", "-C", str(ROOT), "describe", "--always", "--dirty=, with changes")
    version = subprocess.run(git, capture_output=True, text=True).stdout.strip()
    return f"Run on {datetime.now(UTC):%Y-%m-%d} at {version or 'an unknown commit'}"


if __name__ == "__main__":
    sys.exit(main())
