"""Measure the start of the baseline `like_days`, and events that begin together.

python benchmarks/programmes.py
python benchmarks/programmes.py --projects 10000 --events 50

Each figure is compared with a reference in the same run: a history of three weeks that is filled
slot by slot, and settlements that are made one by one. Prints the ratios.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gridsim.api import Floats
from gridsim.contracts.results import EventTotals, Settlement
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from gridsim.testing import make_members, make_sites
from gridsim_plugins.baselines.like_days import DayMatching

SLOT_MS, WEEKS = 900_000, 3
SLOTS = WEEKS * 7 * 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--projects", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=50)
    given = parser.parse_args()
    _report("like_days at the start", *_like_days(given.projects), given.projects)
    together = _together(given.projects, given.events)
    _report("events that begin together", *together, given.projects * given.events)


def _report(name: str, old_s: float, new_s: float, count: int) -> None:
    old, new = (1e6 * seconds / count for seconds in (old_s, new_s))
    print(f"{name}: {old:.2f} us each before, {new:.2f} us now, {new_s / old_s:.3f} of it")


def _like_days(n: int) -> tuple[float, float]:
    """Return the seconds of the reference and of the plugin for n sites."""
    sites = make_sites(n)
    members = make_members(DayMatching.Settings, [{}] * n, sites=sites)
    level = np.linspace(0.5, 1.5, n)

    def expected(time_ms: int) -> Floats:
        return level * (1.0 + (time_ms // 3_600_000 % 24) / 24.0)

    def filled() -> None:
        rows = np.arange(n)
        total, seconds = np.zeros((n, 96)), np.zeros((n, 96))
        for slot in range(SLOTS):
            at = members.start_ms - (SLOTS - slot) * SLOT_MS
            local = sites.local_ms(at)[members.site]
            place = local % 86_400_000 // SLOT_MS
            total[rows, place] += expected(at) * 900.0
            seconds[rows, place] += 900.0

    return _seconds(filled), _seconds(lambda: DayMatching(members, expected))


def _together(projects: int, events: int) -> tuple[float, float]:
    """Return the seconds of making the settlements one by one, and of the tick."""
    text = (
        "[simulation]\ntick_s = 60.0\n[weather]\ntype = 'clear'\n[[transports]]\n"
        f"type = 'stdout'\n[ledger]\npath = 'ledger.sqlite'\ncounterfactual = false\n"
        f"[[projects]]\nid = 'H{{n}}'\ncount = {projects}\ncontract_threshold = 1.0\n"
        "[[projects.ders]]\nid = '{project_id}_B'\ntype = 'battery'\nnameplate_capacity = 5.0\n"
    )
    for index in range(events):
        text += f"[[events]]\nid = 'e{index}'\nafter_s = 120\nduration_s = 600\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "together.toml"
        path.write_text(text)
        scenario = make_plan(Options(config=path)).configuration.scenario
    simulation = Simulation(scenario)
    quiet = min(_seconds(simulation.step) for _ in range(1))
    simulation.step()  # The events are found.
    result = []
    tick = _seconds(lambda: result.append(simulation.advance()))
    settlements = result[0].settlements
    assert len(settlements) == projects * (events - 1)

    def one_by_one() -> None:
        totals = EventTotals()
        made = list[Settlement](settlements)
        for own in made:
            totals = totals.plus(EventTotals.of(own))

    return _seconds(one_by_one), max(tick - quiet, 0.0)


def _seconds(do: Callable[[], object]) -> float:
    begin = time.perf_counter()
    do()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
