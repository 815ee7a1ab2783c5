"""Report how many small changes of the code the tests notice.

python benchmarks/mutants.py
python benchmarks/mutants.py gridsim.simulation.batch gridsim.config.settings
python benchmarks/mutants.py --sample 200
python benchmarks/mutants.py gridsim.delivery --tests tests/unit/test_delivery*.py --sample 60

Runs mutmut over the rooms that `[tool.mutmut]` in pyproject.toml names, or over some modules or
packages of them, and prints the score of each: the share of the mutants that a test notices.
`--sample N` tries N mutants of each room, chosen by the hash of their names, and prints how far the
score may be from the whole room's (95 of 100 samples are nearer). mutmut keeps its results in
`mutants/` and tests again only what has changed.

`--tests FILE...` runs these tests and no others, for an answer in minutes: mutmut runs all
configured tests once before it tries a mutant. A test elsewhere may notice what these do not. It
works in a copy of the checkout, `build/mutants`.

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
from pathlib import Path

import tomli

NOTICED = ("killed", "timeout", "segfault")
UNTRIED = ("not checked", "check was interrupted by user", "suspicious")
_RESULT = re.compile(r"^\s*(?P<name>(?P<module>[\w.]+)\.x\S+): (?P<status>.+)$")
_MUTMUT = Path(sys.executable).with_name("mutmut")
_COPY = Path("build/mutants")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", help="all of the configured rooms if not given")
    parser.add_argument("--sample", type=int, metavar="N", help="try N mutants of each only")
    parser.add_argument("--tests", nargs="+", metavar="FILE", help="run these tests only")
    options = parser.parse_args()
    rooms = options.modules or _configured()
    if options.tests:
        _copy(rooms, options.tests)
        os.chdir(_COPY)
    if options.sample is None:
        chosen = None
        _run([f"{room}.*" for room in rooms])
    else:
        # The first run makes the mutants; their names are known only then.
        if not _results():
            _make()
        chosen = {room: _sample(room, options.sample) for room in rooms}
        _run([name for names in chosen.values() for name in names])
    _report(rooms, chosen)


def _configured() -> list[str]:
    settings = tomli.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    rooms = settings["tool"]["mutmut"]["only_mutate"]
    return [room.removesuffix("/*").replace("/", ".") for room in rooms]


def _copy(rooms: Sequence[str], tests: Sequence[str]) -> None:
    """Bring the copy up to date, with `tests` as the only ones and `rooms` as what is changed."""
    project = Path("pyproject.toml").read_text(encoding="utf-8")
    settings = tomli.loads(project)["tool"]["mutmut"]
    settings["pytest_add_cli_args_test_selection"] = list(tests)
    paths = [room.replace(".", "/") for room in rooms]
    settings["only_mutate"] = [
        f"{one}.py" if Path(f"{one}.py").exists() else f"{one}/*" for one in paths
    ]
    for name in ["gridsim", "tests", *settings["also_copy"]]:
        target = _COPY / name
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
    kept = _COPY / "pyproject.toml"
    if not kept.exists() or kept.read_text(encoding="utf-8") != changed:
        # Of another room, or by other tests.
        shutil.rmtree(_COPY / "mutants", ignore_errors=True)
        kept.write_text(changed, encoding="utf-8")


def _make() -> None:
    """Make all mutants and time all tests, and try no mutant: mutmut then ends with an error."""
    made = subprocess.run([_MUTMUT, "run", "none"], capture_output=True, text=True, check=False)
    if not _results():
        sys.exit(f"{made.stdout}{made.stderr}\nmutmut made no mutants: no score")


def _run(patterns: Sequence[str]) -> None:
    """Try the mutants that match; survivors are no failure of mutmut."""
    ended = subprocess.run([_MUTMUT, "run", *patterns]).returncode
    if ended:
        sys.exit(f"mutmut ended with {ended} before it tried every mutant: no score")


def _results() -> dict[str, str]:
    """Return the status of every mutant by its name."""
    listed = subprocess.run(
        [_MUTMUT, "results", "--all", "true"], capture_output=True, text=True, check=False
    ).stdout
    found = filter(None, map(_RESULT.match, listed.splitlines()))
    return {one["name"]: one["status"] for one in found}


def _within(name: str, room: str) -> bool:
    return name.startswith(f"{room}.")


def _sample(room: str, size: int) -> list[str]:
    names = [name for name in _results() if _within(name, room)]
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())[:size]


def _report(rooms: Sequence[str], chosen: dict[str, list[str]] | None) -> None:
    results = _results()
    tried = {
        room: [n for n in results if _within(n, room)] if chosen is None else chosen[room]
        for room in rooms
    }
    names = [name for of_room in tried.values() for name in of_room]
    untried = [name for name in names if results[name] in UNTRIED]
    if untried or not names:
        sys.exit(f"{len(untried):,} of {len(names):,} mutants were not tried: no score")
    survivors = [f"{name}: {results[name]}" for name in names if results[name] not in NOTICED]
    print("\nnot noticed (`mutmut show NAME` prints the change):")
    print("\n".join(survivors) or "none")
    print(f"\n{'score':>6} {'+-':>5} {'noticed':>8} {'tried':>7} {'all':>7}  module")
    for room, of_room in tried.items():
        by_module: dict[str, list[str]] = defaultdict(list)
        for name in of_room:
            module = _RESULT.match(f"{name}: ?")
            by_module[module["module"] if module else room].append(results[name])
        if chosen is None:
            for module_name, statuses in sorted(by_module.items()):
                _print(module_name, statuses, len(statuses))
        _print(room, [results[n] for n in of_room], sum(_within(n, room) for n in results))


def _print(name: str, statuses: Sequence[str], population: int) -> None:
    counts = Counter(statuses)
    tried, noticed = counts.total(), sum(counts[status] for status in NOTICED)
    if not tried:
        return
    score = noticed / tried
    error = 0.0
    if tried < population:
        error = 1.96 * math.sqrt(score * (1 - score) / tried * (1 - tried / population))
    print(f"{score:>6.1%} {error:>5.1%} {noticed:>8,} {tried:>7,} {population:>7,}  {name}")


if __name__ == "__main__":
    main()
