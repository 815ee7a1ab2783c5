"""An input that is fuzzed, and what several inputs use."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from gridsim.config.resolve import Flags, resolve
from gridsim.config.text.load import read
from gridsim.errors import GridsimError
from gridsim.plugins.registry import Registry

ROOT = Path(__file__).parents[2]
NOW_MS = 1_782_907_200_000
HOME = """
[simulation]
start = 2026-07-01T12:00:00Z
speed = 0

[weather]
type = "clear"

[[projects]]
id = "HOME"
contract_threshold = 2.0
load = { type = "constant", kw = 1.0 }

[[projects.ders]]
id = "BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0

[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0

[[projects.ders]]
id = "EV"
type = "ev_charger"
nameplate_capacity = 7.0
"""
SITE = """
[[events]]
id = "peak"
projects = ["HOME"]
cron = "30 15 * * mon-fri"
duration_s = 2700
ramp_s = 300
compliance = { uniform = [0.7, 0.9] }

[[faults]]
id = "dark"
type = "offline"
ders = ["*"]
after_s = 3
duration_s = { uniform = [10, 20] }
"""


@dataclass(frozen=True)
class Target:
    """A kind of input."""

    title: str
    cases: st.SearchStrategy[Any]
    read: Callable[[Any], object]
    """The function that reads a case; it raises one of `refusals` if the case is not valid."""
    refusals: tuple[type[Exception], ...] = (GridsimError,)


def resolved(text: str, registry: Registry, path: Path = Path("fuzz.toml")) -> Any:
    document = read(path, text, environment={"A": "1", "NAME": "value"})
    return resolve(document, registry, now_ms=NOW_MS, flags=Flags(), files="none")


def to_json(tree: Any) -> bytes:
    return json.dumps(tree).encode(errors="surrogatepass")
