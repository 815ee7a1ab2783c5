"""Checks the models against published figures and pvlib, and writes docs/realism.md.

Prints every comparison; exit status 1 if one is outside its tolerance. Seeds are fixed: only
the figures of the last group, which are times, differ from run to run.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.realism import (
    battery,
    blind,
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
    wind,
)
from benchmarks.realism.report import Check, Group, exit_status, markdown, summary, table

ROOT = Path(__file__).parents[2]
PLOTS = ROOT / "docs" / "realism"
INTRO = """`make realism` writes this page: it runs gridsim's models against published figures,
and against [pvlib](https://pvlib-python.readthedocs.io) in the same run. Exit status 1 says
that a check is outside its tolerance. A dash as verdict marks a figure that is shown without
being judged."""

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
    "blind": blind.run,
    "wind": wind.run,
    "others": others.run,
    "heat": heat.run,
    "home": home.run,
    "day": day.run,
    "places": places.run,
    "cost": cost.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", choices=[[], *GROUPS], help="only these; no report")
    only = parser.parse_args().groups
    PLOTS.mkdir(parents=True, exist_ok=True)
    groups: list[Group] = []
    names = only or list(GROUPS)
    # Times are taken last, when nothing else runs.
    with ProcessPoolExecutor(2) as pool:
        for group in pool.map(_ran, [name for name in names if name != "cost"]):
            groups.append(group)
            print(table(group), end="\n\n", flush=True)
    if "cost" in names:
        groups.append(_ran("cost"))
        print(table(groups[-1]), end="\n\n", flush=True)
    print(summary(groups))
    if not only:
        (ROOT / "docs" / "realism.md").write_text(markdown(groups, INTRO))
    return exit_status(groups)


def _ran(name: str) -> Group:
    """The group's result; an error in it is a failed check, so that the others still show."""
    # pvlib warns of pandas' coming changes.
    warnings.filterwarnings("ignore", message="DatetimeIndex.dayofyear")
    try:
        return GROUPS[name](PLOTS)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        check = Check("it runs", "-", "-", said, "holds", passed=False)
        return Group(name, "It failed.", [check])


if __name__ == "__main__":
    sys.exit(main())
