"""Plugins that misbehave at one place, and runs of them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from loguru import logger

import gridsim
from gridsim.errors import GridsimError

HEAD = """
import sys
import numpy as np
from gridsim.api import *

class Liar:
    def __array__(self, *args, **kwargs):
        raise RuntimeError("no array")
    def __repr__(self):
        raise RuntimeError("no repr")

@hookimpl
def gridsim_register(register):
    register.KIND("culprit", Culprit)
"""
FLEET = """
class Culprit(Fleet):
    reported_type = "culprit"
    columns = {"own": "V"}
    @classmethod
    def stage(cls, settings):
        return "STAGE"
    def capability(self, tick):
        n = len(self.members)
        low, high, wish = -np.ones(n), np.ones(n), None
        CAPABILITY
        return Capability(low, high, wish)
    def balances(self):
        mask = None
        BALANCES
        return mask
    def step(self, tick, orders):
        n = len(self.members)
        power, soc, own = np.ones(n), np.full(n, 50.0), np.zeros(n)
        STEP
        return Telemetry(power, soc, {"own": own})
"""
DEVICE = """
class Culprit(Device):
    def step(self, tick):
        value = 1.0
        STEP
        return value
"""
WEATHER = """
class Culprit(Weather):
    def at(self, time_ms):
        n = len(self.sites)
        ghi = dni = dhi = wind = np.zeros(n)
        temperature = np.full(n, 20.0)
        STEP
        return WeatherSample(ghi, dni, dhi, temperature, wind)
"""
LOAD = """
class Culprit(Load):
    def at(self, tick):
        n = len(self.members)
        value = np.ones(n)
        STEP
        return value
    def expected(self, time_ms):
        n = len(self.members)
        value = np.ones(n)
        EXPECTED
        return value
"""
BASELINE = """
class Culprit(Baseline):
    def at(self, tick):
        n = len(self.members)
        value = np.ones(n)
        STEP
        return value
    def note(self, tick, net_kw):
        NOTE
        pass
"""
DEVICE_FAULT = """
class Culprit(DeviceFault):
    def inject(self, tick, affected):
        n = len(affected.member)
        STEP
"""
MESSAGE_FAULT = """
class Culprit(MessageFault):
    @classmethod
    def check(cls, settings, format, json_fields):
        CHECK
        pass
    def inject(self, tick, effects):
        n = len(effects.member)
        effects.altered[:] = True
        STEP
    @classmethod
    def alter(cls, settings, body, chance):
        value = body
        ALTER
        return value
"""
FORMAT = """
class Culprit(Format):
    def encode(self, batch):
        starts = np.arange(len(batch) + 1) if self.framing == "der" else batch.groups()
        bodies = [b"x"] * (len(starts) - 1)
        STEP
        return Payloads(bodies, starts)
"""
PARTS = """
    def encode_parts(self, batch, rows=1000):
        PARTS
"""
TRANSPORT = """
class Culprit(Transport):
    def describe(self):
        value = "somewhere"
        DESCRIBE
        return value
    def connect(self):
        CONNECT
        pass
    def write(self, batch, receipt):
        n = len(batch)
        STEP
        pass
    def close(self):
        pass
"""
SOURCE = """
class Culprit(Source):
    def describe(self):
        return "somewhere"
    def connect(self):
        pass
    def serve(self, inbox, timeout_s):
        STEP
        pass
    def acknowledge(self, acknowledgements):
        pass
    def close(self):
        pass
"""
CONFIG = """
[simulation]
speed = 0
start = 2026-07-01T12:00:00Z
plugins = ["culprit.py"]
WEATHER
[[projects]]
id = "HOME_{n}"
count = 3
contract_threshold = 1.0
PROJECT
[[projects.ders]]
id = "{project_id}_DER"
type = "DER"
nameplate_capacity = 5.0
[[transports]]
type = "TRANSPORT"
TO
[[transports]]
type = "file"
path = "control.txt"
EXTRA
"""
TABLES = {
    "der": {"DER": "culprit"},
    "weather": {"WEATHER": '[weather]\ntype = "culprit"'},
    "load": {"PROJECT": 'load = { type = "culprit" }'},
    "baseline": {"PROJECT": 'baseline = { type = "culprit" }'},
    "fault": {
        "EXTRA": '[[faults]]\ntype = "culprit"\nid = "F"\nafter_s = 0\nduration_s = 60',
    },
    "format": {"TO": 'path = "out.txt"\nformat = "culprit"'},
    "transport": {"TRANSPORT": "culprit", "TO": ""},
    "source": {"EXTRA": '[[sources]]\ntype = "culprit"'},
}
DEFAULTS = {
    "WEATHER": '[weather]\ntype = "clear"',
    "PROJECT": 'load = { type = "constant", kw = 1.0 }',
    "DER": "solar",
    "TRANSPORT": "file",
    "TO": 'path = "out.txt"',
    "EXTRA": "",
}
SLOTS = (
    *("CAPABILITY", "BALANCES", "STEP", "EXPECTED", "NOTE", "CHECK", "ALTER", "DESCRIBE"),
    *("CONNECT", "STAGE"),
)


def write(folder: Path, kind: str, code: str, slot: str, text: str) -> Path:
    """Write a configuration with the plugin `culprit`, which misbehaves in `slot`."""
    for line in code.splitlines():
        if line.strip() == slot:
            code = code.replace(line, indent(text, line[: len(line) - len(line.lstrip())]))
    code = code.replace(f'"{slot}"', f'"{text}"')
    for other in SLOTS:
        code = code.replace(f" {other}\n", " pass\n").replace('"STAGE"', '"free"')
    (folder / "culprit.py").write_text(dedent(HEAD.replace("KIND", kind)) + code)
    config = CONFIG
    for slot_of_config, default in DEFAULTS.items():
        config = config.replace(slot_of_config, TABLES[kind].get(slot_of_config, default))
    path = folder / "c.toml"
    path.write_text(config)
    return path


def said(config: Path) -> str:
    """Run three ticks by the manual clock; return the errors of the run and of its parts, and what
    it logged as an error.
    """
    errors: list[Any] = []
    handler = logger.add(
        lambda line: errors.append(line.strip()), level="ERROR", format="{message}"
    )
    try:
        with gridsim.run(config, clock="manual") as run:
            assert isinstance(run, gridsim.Run)
            if run.status().state == "running":
                run.advance(3)
            # Sources act on their own thread; a source that fails has its state at once.
            for source in run._workers.sources.workers:
                source.wait(30.0)
        status = run.status()
        errors.append(status.error)
        errors += [f"{one.name}: {one.error}" for one in status.transports if one.error]
        errors += [f"{one.name}: {one.error}" for one in status.sources if one.error]
        errors += [one.reason for one in status.failures]
    except GridsimError as error:
        errors.append(error)
    finally:
        logger.remove(handler)
    return "\n".join(str(error) for error in errors if error)
