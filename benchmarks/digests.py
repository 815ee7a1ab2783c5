"""The bytes of every shipped configuration beside those of another checkout.

python benchmarks/digests.py
python benchmarks/digests.py --against ../gridsim-before

Runs each configuration at speed 0 with a fixed seed and start, writes its readings to files in
every framing and format that it names and in the usual ones, and prints a SHA-256 for each
file. With `--against` the other checkout runs its own copy of the same configurations with its
own interpreter. Fails if a configuration cannot run or if a digest differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SEED = 42
START = "2026-07-01T12:00:00-03:00"
# The usual outputs, written of every configuration beside its own.
OUTPUTS = (
    {"framing": "der", "format": "json"},
    {"framing": "project", "format": "json"},
    {"framing": "der", "format": "csv"},
)
# A tick of a minute, for hours of a small fleet in seconds.
COARSE = ("--set", "simulation.tick_s=60.0")
# Placeholders without a default. The transports that use them are replaced.
ENVIRONMENT = {"MQTT_HOST": "localhost", "MQTT_USERNAME": "nobody", "MQTT_PASSWORD": "nothing"}


@dataclass(frozen=True, slots=True)
class Case:
    """A shipped configuration, and how much of it to run."""

    config: str
    duration: str
    options: tuple[str, ...] = ()
    """Further words of the command line; `{root}` stands for the checkout."""
    outputs: tuple[dict[str, str], ...] = OUTPUTS
    """The framings and formats besides those of the configuration."""


CASES = (
    Case("configs/default.toml", "6h", COARSE),
    Case("configs/stdout.toml", "6h", COARSE),
    Case("configs/grid-stream.toml", "6h", COARSE),
    Case("configs/file.toml", "2d"),
    # From the first sunlight through the evening peak to midnight.
    Case("configs/neighbourhood.toml", "18h", ("--set", "simulation.tick_s=300.0")),
    Case("configs/fleet-10k.toml", "15s"),
    # Its event and its faults.
    Case("configs/demo.toml", "1h30m"),
    # All events, from the notice to the end of the last one.
    Case("configs/dr-event.toml", "2h"),
    # All faults, through the hour that daylight saving repeats. Some change JSON only.
    Case("configs/chaos.toml", "2h", outputs=OUTPUTS[:2]),
    *(
        Case(f"configs/{name}.toml", "1h", COARSE)
        for name in ("http", "influx", "kafka", "parquet", "postgres")
    ),
    Case("examples/electric-heater.toml", "6h", COARSE),
    Case(
        "examples/gridsim-cold-store/cold-store.toml",
        "6h",
        (*COARSE, "--plugin", "{root}/examples/gridsim-cold-store/gridsim_cold_store.py"),
    ),
)

Digests = dict[str, str]
"""A SHA-256 by output, such as `configs/default.toml der json`."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout")
    parser.add_argument(
        "--python", type=Path, help="its interpreter; DIR/.venv/bin/python if not given"
    )
    parser.add_argument("--only", default="", help="a part of the configurations' names")
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in case.config]
    missing = _unlisted()
    if missing:
        sys.exit(f"no case in {Path(__file__).name} for {', '.join(missing)}")
    failed = False
    for case in cases:
        ours = run(case, ROOT, Path(sys.executable))
        theirs = ours
        if options.against is not None:
            python = options.python or options.against / ".venv/bin/python"
            theirs = run(case, options.against.resolve(), python.absolute())
        for name in sorted(ours.keys() | theirs.keys()):
            same = ours.get(name) == theirs.get(name)
            failed |= not same
            print(f"{ours.get(name, 'not written'):64}  {name}{'' if same else '  DIFFERS'}")
            if not same:
                print(f"{theirs.get(name, 'not written'):64}  {name}, of the other checkout")
    if failed:
        sys.exit("the outputs marked DIFFERS are not the same bytes")
    if options.against is not None:
        print("all the same")


def run(case: Case, root: Path, python: Path) -> Digests:
    """Run a configuration of a checkout and return the digests of its outputs."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = {
            name: {"type": "file", "path": str(Path(folder, str(number))), **output}
            for number, (name, output) in enumerate(_outputs(case, root).items())
        }
        transports = ", ".join(_inline(output) for output in outputs.values())
        done = subprocess.run(
            [
                *(str(python), "-m", "gridsim", "--config", str(root / case.config)),
                *("--speed", "0", "--seed", str(SEED), "--duration", case.duration),
                *start_options(case, root),
                *("--set", f"transports=[{transports}]", "--set", "sources=[]"),
                *(word.format(root=root) for word in case.options),
            ],
            cwd=root,
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            sys.exit(f"{case.config} of {root} failed:\n{done.stderr}")
        digests = {}
        for name, output in outputs.items():
            with open(output["path"], "rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
        return digests


def _outputs(case: Case, root: Path) -> dict[str, dict[str, Any]]:
    """Return the framings and formats to write by name, each once."""
    found = [*case.outputs] + [
        {"framing": own.get("framing", "der"), "format": own.get("format", "json")}
        for own in _read(case, root)["transports"]
    ]
    return {
        f"{case.config} {output['framing']} {_inline(output['format'])}".replace('"', ""): output
        for output in found
    }


def start_options(case: Case, root: Path) -> list[str]:
    """Return the option for the start, if the configuration does not have one."""
    own = _read(case, root).get("simulation", {}).get("start", "now")
    return ["--start", START] if own == "now" else []


def _read(case: Case, root: Path) -> dict[str, Any]:
    return tomllib.loads((root / case.config).read_text(encoding="utf-8"))


def _inline(value: Any) -> str:
    """Write texts, lists and tables as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_inline(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)


def _unlisted() -> list[str]:
    """Return the shipped configurations that no case covers."""
    found = [*ROOT.glob("configs/*.toml"), *ROOT.glob("examples/*.toml")]
    shipped = {str(path.relative_to(ROOT)) for path in found}
    return sorted(shipped - {case.config for case in CASES})


if __name__ == "__main__":
    main()
