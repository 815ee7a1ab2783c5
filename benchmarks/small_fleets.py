"""The processor time of long runs of small fleets, from a shorter span of each in one process.

python benchmarks/small_fleets.py
python benchmarks/small_fleets.py --against 05edd9f
python benchmarks/small_fleets.py --against ../gridsim-before

Each home has a battery, a solar array, a car and a household. A process runs half of the homes, as
one of two shards on two cores does. With Parquet it is a run from the command line, less a run of
two ticks: models, engine, delivery and output. Without output it is the models alone. The time is
that of the process, user and system. `--against` is a commit or another checkout; both take turns.
Each figure is the median of the rounds, and each ratio the median of the rounds' ratios. The last
columns are the time of the whole run on two cores, and the goal.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
HOMES = """
[simulation]
seed = 42
tick_s = {tick_s}
speed = 0
start = {start}

[site]
latitude = {{ normal = [45.96, 0.012], min = 45.93, max = 45.99 }}
longitude = {{ normal = [-66.64, 0.017], min = -66.69, max = -66.59 }}
altitude = 20.0
timezone = "America/Moncton"

[[projects]]
id = "HOME_{{n:05}}"
count = {homes}
contract_threshold = {{ uniform = [1.0, 3.0] }}
load = {{ type = "household", annual_kwh = 9000, spread = 0.4 }}

[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = {{ normal = [7.0, 1.5], min = 3.0, max = 12.0 }}
azimuth = {{ normal = [180, 45], min = 60, max = 300 }}

[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 13.5

[[projects.ders]]
id = "{{project_id}}_EV"
type = "ev_charger"
nameplate_capacity = 7.2
"""
PARQUET = """
[[transports]]
type = "parquet"
path = "{folder}/readings"
journal = "{folder}/journal"
"""


# Runs in each process: it must work in a checkout of before.
MODELS = """
import sys, time
from pathlib import Path
from gridsim.config.resolve import Flags
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
plan = make_plan(Options(config=Path(sys.argv[1]), flags=Flags()))
simulation = Simulation(plan.configuration.scenario)
for _ in range(2):
    simulation.advance()
began = time.process_time()
for _ in range(int(sys.argv[2]) - 2):
    simulation.advance()
print(time.process_time() - began)
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A long run, and the span of it that is measured."""

    name: str
    homes: int
    tick_s: float
    ticks: int
    """The ticks of the long run."""
    span: int
    """The ticks that are measured."""
    start: str
    output: str
    goal_min: float


MIDNIGHT, NOON = "2026-06-20T00:00:00-03:00", "2026-06-20T11:00:00-03:00"
CASES = (
    Case(
        *("a year of 1,000 homes by the minute, Parquet", 1_000, 60.0, 525_600, 720, MIDNIGHT),
        *(PARQUET, 10.0),
    ),
    Case(
        *("a year of 10,000 homes by the minute, no output", 10_000, 60.0, 525_600, 360, MIDNIGHT),
        *("", 20.0),
    ),
    Case(
        *("30 days of 100 homes by the second, no output", 100, 1.0, 2_592_000, 3_600, NOON),
        *("", 3.0),
    ),
    Case(
        *("30 days of 100 homes by the second, Parquet", 100, 1.0, 2_592_000, 3_600, NOON),
        *(PARQUET, 3.0),
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", metavar="COMMIT_OR_DIR", help="the other side")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", type=float, default=1.0, help="part of the spans to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkouts = {"here": ROOT}
        if options.against:
            checkouts[Path(options.against).name] = _checkout(options.against, Path(folder))
        print(f"{options.rounds} rounds; processor time of a tick of half of the homes, ms")
        header = "".join(f"{name:>10}" for name in checkouts)
        print(f"{'':48}{header}{'ratio':>8}{'two cores':>12}{'goal':>8}")
        for case in CASES:
            _show(case, checkouts, options.rounds, options.part)


def _show(case: Case, checkouts: dict[str, Path], rounds: int, part: float) -> None:
    times: dict[str, list[float]] = {name: [] for name in checkouts}
    span = max(2, round(case.span * part))
    for number in range(rounds):
        # Each checkout is first in every other round.
        for name in sorted(checkouts, reverse=number % 2 == 1):
            measure = _run if case.output else _models
            times[name].append(measure(case, checkouts[name], span) / (span - 2) * 1e3)
    line = "".join(f"{median(each):>10.3f}" for each in times.values())
    ratio = median(ours / theirs for ours, theirs in zip(*_pair(times), strict=True))
    minutes = median(times["here"]) * case.ticks / 60e3
    shown = f"{ratio:>8.2f}" if len(times) > 1 else f"{'':>8}"
    print(f"{case.name:48}{line}{shown}{minutes:>8.1f} min{case.goal_min:>4.0f} min", flush=True)


def _pair(times: dict[str, list[float]]) -> tuple[list[float], list[float]]:
    return times["here"], [*times.values()][-1]


def _models(case: Case, checkout: Path, ticks: int) -> float:
    """Return the processor time of the models for some ticks, without the first two, s."""
    with tempfile.TemporaryDirectory() as folder:
        config = _config(case, folder)
        command = ("-c", MODELS, str(config), str(ticks))
        return float(_python(checkout, folder, command))


def _run(case: Case, checkout: Path, ticks: int) -> float:
    """Return the processor time of a run of some ticks, less that of two ticks, s."""
    spent = []
    for count in (2, ticks):
        with tempfile.TemporaryDirectory() as folder:
            command = ("-m", "gridsim", "--config", str(_config(case, folder)))
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            duration = f"{count * case.tick_s:g}s"
            _python(checkout, folder, (*command, "--log-level", "error", "--duration", duration))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return spent[1] - spent[0]


def _config(case: Case, folder: str) -> Path:
    config = Path(folder) / "homes.toml"
    homes = HOMES.format(homes=case.homes // 2, tick_s=case.tick_s, start=case.start)
    output = case.output or '[[transports]]\ntype = "stdout"\n'
    config.write_text(homes + output.format(folder=folder))
    return config


def _python(checkout: Path, folder: str, command: tuple[str, ...]) -> str:
    """Return the output of the Python of a checkout."""
    python = checkout / ".venv/bin/python"
    done = subprocess.run(
        [str(python if python.exists() else sys.executable), *command],
        check=True,
        # Not the present folder, whose gridsim Python would import.
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": f"{checkout}{os.pathsep}{checkout / 'plugins'}",
            # A library's threads would spin on the other core.
            "OMP_NUM_THREADS": "1",
        },
    )
    return done.stdout


def _checkout(against: str, folder: Path) -> Path:
    """Return the checkout to compare with; the files of a commit are put into `folder`."""
    if Path(against).is_dir():
        return Path(against).resolve()
    found = subprocess.run(["git", "archive", against], cwd=ROOT, stdout=subprocess.PIPE)
    if found.returncode:
        sys.exit(f"{against} is neither a folder nor a commit")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


if __name__ == "__main__":
    main()
