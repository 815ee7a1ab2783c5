"""Runs with a page, and what a test reads from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from playwright.sync_api import Page, expect

from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run

DEADLINE_MS = 30_000
HOSTILE = "<img src=x onerror=alert(1)>" + "x" * 100

FLEET = """
[simulation]
seed = 7
speed = 20
start = 2026-07-01T12:00:00-03:00
plugins = ["./hum.py"]

[site]
latitude = 45.96
longitude = -66.64
timezone = "America/Moncton"

[[projects]]
id = "HOME_{{n}}"
count = 3
contract_threshold = 1.0
load = {{ type = "constant", kw = 2.5 }}

[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 20.0
initial_soc = 60.0

[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = 4.0

[[projects]]
id = "{hostile}"
standalone = true
load = {{ type = "constant", kw = 1.0 }}

[[projects.ders]]
id = "{hostile}"
type = "solar"
reported_type = "rooftop <b>"
nameplate_capacity = 4.0

[[transports]]
type = "mqtt"
host = "127.0.0.1"
port = {port}
framing = "project"

[[sources]]
type = "mqtt"
host = "127.0.0.1"
port = {port}

[[views]]
type = "web"
port = 0
"""

HUM = '''
from typing import Annotated
from pydantic import Field
from gridsim.api import DeviceFault, Settings, Unit, hookimpl

class HumSettings(Settings):
    pitch: Annotated[float, Unit("Hz")] = Field(gt=0, description="the pitch of the hum")

class Hum(DeviceFault[HumSettings]):
    """A meter that hums."""
    Settings = HumSettings
    def inject(self, tick, affected):
        affected.power_meter_measurement[:] += 1.0

@hookimpl
def gridsim_register(register):
    register.fault("hum", Hum)
'''


def make_run(folder: Path, text: str) -> Run:
    (folder / "hum.py").write_text(HUM)
    path = folder / "fleet.toml"
    path.write_text(text)
    return Run(make_plan(Options(config=path)))


def address(run: Run) -> str:
    return run.status().views[0].where


def fetched(url: str, path: str) -> Any:
    with urlopen(f"{url}/api/v1{path}", timeout=DEADLINE_MS / 1000) as answer:
        return json.load(answer)


Visit = Callable[..., Page]


@contextmanager
def paused(run: Run) -> Iterator[None]:
    run.pause()
    try:
        yield
    finally:
        run.resume()


def to_heat(page: Page) -> None:
    """Go to the heat map once it knows the devices."""
    expect(page.locator("#fleet-count")).to_contain_text("devices")
    page.locator("#heat").focus()
    expect(page.locator("#heat-says")).to_contain_text("_PV")
