"""The command in a test: configurations, a plugin, and how to run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.fixtures import prepared

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60
HOME = """
[[projects]]
id = "HOME"

[[projects.ders]]
id = "HOME_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
"""
STDOUT = '\n[[transports]]\ntype = "stdout"\n'
PLUGIN = """
import time
from gridsim.api import DerSettings, Device, hookimpl

class Odd(Device):
    def step(self, tick):
        {body}
        return -1.0

@hookimpl
def gridsim_register(register):
    register.der("odd", Odd)
"""
FULL_DISK = """
import resource, signal
from gridsim.api import hookimpl

# As a shell's `ulimit -f` does; without the signal, a write fails as it does on a full disk.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))

@hookimpl
def gridsim_register(register):
    pass
"""
"""A plugin that limits the size of the files of its process, bytes."""
ODD = """
[[projects.ders]]
id = "HOME_ODD"
type = "odd"
nameplate_capacity = 5.0
"""


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "gridsim", *map(str, words)]


def gridsim(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = prepared.gridsim(*words, cwd=cwd, timeout_s=DEADLINE_S)
    assert "Traceback" not in done.stderr
    return done


def records(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]
