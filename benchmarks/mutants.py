"""Report how many small changes of the code the tests notice.

python -m benchmarks.mutants
python -m benchmarks.mutants gridsim.simulation.batch gridsim.config.settings
python -m benchmarks.mutants --sample 60
python -m benchmarks.mutants gridsim.delivery --tests tests/unit/trace --sample 60

Runs mutmut over the rooms in `TESTS`, or over some modules or packages of them, by the tests of
the room, and prints the score of each: the share of the mutants that a test notices, and the
changes that no test noticed. `--sample N` makes and tries N mutants of each, chosen by the hash of
their places, and prints how far the score may be from the whole room's (95 of 100 samples are
nearer). `--tests FILE...` runs these tests and no others. A test elsewhere may notice what these do
not.

Each room, and each sample of one, has a copy of the checkout in `build/mutants`, where mutmut keeps
its results: it tests again only what has changed and what no test noticed. mutmut runs all tests of
the room before it tries a mutant. A mutant whose tests take far too long counts as noticed only if
they do so twice.

It fails, without a score, if mutmut ended before every chosen mutant was tried.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path

import tomli

from benchmarks.mutant_sample import SAMPLE, candidates

TESTS = {
    "gridsim.simulation": """baselines boundary checkpoint checkpoint_kinds command_effects commands
        counterfactual device_events dispatch event_* events* exclude expectation fault_*
        instructed measurands quiet_ticks report_every settlement_account simulator subset
        tick_truth""",
    "gridsim.delivery": """alteration backoff delivery delivery_* fault_reports format_decorators
        hanging ledger_fates sources timed_format trace verdict""",
    "gridsim.config": """baselines config_* durations instructed kinds plugins simulator_tables
        ui""",
}
"""The rooms, and the files or folders in tests/unit that test them, without those of processes and
brokers: a mutant does not act in another process."""
NOTICED = ("killed", "timeout", "segfault")
UNTRIED = ("not checked", "check was interrupted by user", "suspicious")
_RESULT = re.compile(r"^\s*(?P<name>(?P<module>[\w.]+)\.x\S+): (?P<status>.+)$")
_MUTMUT = Path(sys.executable).with_name("mutmut")
_SAMPLED = "benchmarks/mutant_sample.py"
_COPIES = Path("build/mutants")


@dataclass(frozen=True, slots=True)
class Room:
    """A room, or a part of one, in its copy of the checkout."""

    name: str
    copy: Path
    workers: int
    sample: int | None = None

    def choose(self) -> int:
        """Choose the mutants of a sample, and return the number of all. The mutants are made again,
        because the new sample uses the same names for other changes.
        """
        path = self.name.replace(".", "/")
        module = self.copy / f"{path}.py"
        files = [module] if module.exists() else sorted((self.copy / path).rglob("*.py"))
        found = candidates(self.copy, [file.relative_to(self.copy) for file in files])
        chosen = json.dumps(sorted(found, key=_hash)[: self.sample])
        kept = self.copy / SAMPLE
        if not kept.exists() or kept.read_text(encoding="utf-8") != chosen:
            shutil.rmtree(self.copy / "mutants", ignore_errors=True)
            kept.write_text(chosen, encoding="utf-8")
        return len(found)

    def results(self) -> dict[str, str]:
        """Return the status of every mutant by its name."""
        listed = self._mutmut("results", "--all", "true").stdout
        found = filter(None, map(_RESULT.match, listed.splitlines()))
        mine = f"{self.name}."
        return {one["name"]: one["status"] for one in found if one["name"].startswith(mine)}

    def run(self, names: Sequence[str] = ()) -> None:
        """Try these mutants, or all that were not tried; mutmut does not fail if some survive."""
        mutmut = [_MUTMUT] if self.sample is None else [sys.executable, _SAMPLED]
        command = [*mutmut, "run", "--max-children", str(self.workers), *names]
        ended = subprocess.run(command, cwd=self.copy).returncode
        if ended:
            sys.exit(f"mutmut ended with {ended} before it tried every mutant: no score")

    def change(self, mutant: str) -> str:
        """Return the lines that a mutant changes."""
        lines = self._mutmut("show", mutant).stdout.splitlines()
        changed = [line for line in lines if re.match(r"[-+](?![-+]{2} )", line)]
        return "\n".join(f"    {line}" for line in changed)

    def _mutmut(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_MUTMUT, *arguments], cwd=self.copy, capture_output=True, text=True, check=False
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", help="all rooms if not given")
    parser.add_argument("--sample", type=int, metavar="N", help="try N mutants of each only")
    parser.add_argument("--tests", nargs="+", metavar="FILE", help="run these tests only")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    options = parser.parse_args()
    lines = []
    for module in options.modules or TESTS:
        copy = _copy(module, options.sample, options.tests or _tests_of(module))
        lines += _score(Room(module, copy, options.workers, options.sample))
    print(f"\n{'score':>6} {'+-':>5} {'noticed':>8} {'tried':>7} {'all':>7}  module")
    print("\n".join(lines))


def _tests_of(module: str) -> list[str]:
    for room, names in TESTS.items():
        if f"{module}.".startswith(f"{room}."):
            found = [
                glob(f"tests/unit/{name}/") + glob(f"tests/unit/test_{name}.py")
                for name in names.split()
            ]
            return sorted({path for paths in found for path in paths})
    sys.exit(f"{module} is in none of {', '.join(TESTS)}: name its tests with --tests")


def _copy(module: str, sample: int | None, tests: Sequence[str]) -> Path:
    """Bring the copy of a room up to date, with these tests only, and return its folder."""
    copy = _COPIES / (module if sample is None else f"{module}-{sample}")
    project = Path("pyproject.toml").read_text(encoding="utf-8")
    settings = tomli.loads(project)["tool"]["mutmut"]
    settings["pytest_add_cli_args_test_selection"] = list(tests)
    path = module.replace(".", "/")
    settings["only_mutate"] = [f"{path}.py" if Path(f"{path}.py").exists() else f"{path}/*"]
    for name in ["gridsim", "tests", *settings["also_copy"]]:
        target = copy / name
        if Path(name).is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, target)
    head, _, rest = project.partition("[tool.mutmut]\n")
    after = rest[rest.index("\n[") :]
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    table = "\n".join(["[tool.mutmut]", *lines])
    changed = f"{head}{table}\n{after}"
    kept = copy / "pyproject.toml"
    if not kept.exists() or kept.read_text(encoding="utf-8") != changed:
        # The tests have changed.
        shutil.rmtree(copy / "mutants", ignore_errors=True)
        kept.write_text(changed, encoding="utf-8")
    return copy


def _score(room: Room) -> list[str]:
    """Try the mutants of a room, print those that no test noticed, and return the scores."""
    population = None if room.sample is None else room.choose()
    before = room.results()
    room.run()
    chosen = list(room.results())
    if again := [name for name in chosen if before.get(name, UNTRIED[0]) not in NOTICED + UNTRIED]:
        # There may be a new test.
        room.run(again)
    if late := [name for name, status in room.results().items() if status == "timeout"]:
        # The machine may have been busy.
        room.run(late)
    results = room.results()
    untried = [name for name in chosen if results[name] in UNTRIED]
    if untried or not chosen:
        sys.exit(f"{len(untried):,} of {len(chosen):,} mutants were not tried: no score")
    print(f"\nnot noticed in {room.name}:")
    for name in chosen:
        if results[name] not in NOTICED:
            print(f"{name}: {results[name]}\n{room.change(name)}")
    by_module: dict[str, list[str]] = defaultdict(list)
    for name in chosen:
        module = _RESULT.match(f"{name}: ?")
        by_module[module["module"] if module else room.name].append(results[name])
    lines = []
    if room.sample is None and len(by_module) > 1:
        lines += [_line(name, of_one, len(of_one)) for name, of_one in sorted(by_module.items())]
    return [*lines, _line(room.name, list(results.values()), population or len(results))]


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def _line(name: str, statuses: Sequence[str], population: int) -> str:
    counts = Counter(statuses)
    tried, noticed = counts.total(), sum(counts[status] for status in NOTICED)
    score = noticed / tried
    error = 0.0
    if tried < population:
        error = 1.96 * math.sqrt(score * (1 - score) / tried * (1 - tried / population))
    return f"{score:>6.1%} {error:>5.1%} {noticed:>8,} {tried:>7,} {population:>7,}  {name}"


if __name__ == "__main__":
    main()
