"""Sun, homes and clocks far north, at the equator, and when clocks change."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pvlib

from benchmarks.realism.drive import scenario_of, utc_ms
from benchmarks.realism.report import Check, Group, at_least, at_most, holds, near
from gridsim.api import Floats
from gridsim.simulation.step import Simulation

_PLACES = {
    "Tromso": (69.65, 18.96, "Europe/Oslo"),
    "Nairobi": (0.0, 36.8, "Africa/Nairobi"),
}


def run(plots: Path) -> Group:
    about = """Homes with solar, heat pump and EV charger in Tromso (69.65 N) and on the equator
near Nairobi, a day around each solstice at ticks of a minute, from the emitted telemetry, with the
weather `clear`; hours of light are compared with pvlib's SPA (sun's centre above the horizon,
with refraction). Load follows the site's own clock, also when clocks change."""
    checks: list[Check] = []
    for place in _PLACES:
        for day in ("2026-06-21", "2026-12-21"):
            checks += _day(place, day)
    return Group("Far places and clocks", about, [*checks, *_clocks()])


def _simulation(place: str, start: str, tick_s: float, count: int = 1) -> Simulation:
    latitude, longitude, zone = _PLACES[place]
    text = f"""
[simulation]
seed = 9
tick_s = {tick_s}
start = {start}
[site]
latitude = {latitude}
longitude = {longitude}
timezone = "{zone}"
[weather]
type = "clear"
[[projects]]
id = "HOME_{{n}}"
count = {count}
load = {{ type = "household", annual_kwh = 100000, appliances = false }}
[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = 1000.0
tilt = 0.0
[[projects.ders]]
id = "{{project_id}}_HP"
type = "heat_pump"
nameplate_capacity = 9.0
[[projects.ders]]
id = "{{project_id}}_EV"
type = "ev_charger"
nameplate_capacity = 7.2
"""
    return Simulation(scenario_of(text))


def _day(place: str, day: str) -> list[Check]:
    latitude, longitude, _ = _PLACES[place]
    simulation = _simulation(place, f"{day}T00:00:00Z", 60.0)
    batches = [simulation.step() for _ in range(1440)]
    power = np.array([batch.current_output for batch in batches])
    room = np.array([batch.extra["room_temperature"][1] for batch in batches])
    times = pd.date_range(day, periods=1440, freq="min", tz="UTC")
    up = pvlib.solarposition.get_solarposition(times, latitude, longitude)["apparent_elevation"]
    theirs = float((up > 0.0).sum()) / 60.0
    # The inverter starts at 0.6 % of its load, about two degrees up; light shows in the power
    # of an array of 1 MW as soon as it does.
    ours = float((power[:, 0] > 0.0).sum()) / 60.0
    where = f"{place}, {day}"
    source = "pvlib's SPA in the same run"
    # Above 69 N the sun climbs so slowly that the inverter's own consumption costs more time.
    checks = [
        at_most(f"{where}: hours of output beyond hours of light ({theirs:.1f})", 0.0,
                ours - theirs, source, unit="h"),
        at_least(f"{where}: room, coldest", 17.0, float(room.min()), "a heated house", unit="C"),
    ]  # fmt: skip
    if theirs == 0.0:
        dark = float(power[:, 0].sum())
        checks.append(at_most(f"{where}: solar energy in the polar night", 0.0, dark, source))
    elif theirs == 24.0:
        least = float(power[:, 0].min())
        checks.append(holds(f"{where}: output at midnight, kW of 1 MW", f"{least:.1f}", source,
                            least > 0.0))  # fmt: skip
    else:
        checks.append(near(f"{where}: hours with output", theirs, ours, source, by=0.5, unit="h"))
    return checks


def _clocks() -> list[Check]:
    """Check the expectation of the evening in UTC, before and after clocks change."""
    checks = []
    for name, sunday in (("spring", "2026-03-29"), ("autumn", "2026-10-25")):
        zone = ZoneInfo("Europe/Oslo")
        begin = utc_ms(sunday) - 3 * 86_400_000
        start = datetime.fromtimestamp(begin / 1000, ZoneInfo("UTC")).isoformat()
        simulation = _simulation("Tromso", start, 900.0)
        load = np.array([simulation.step().baseline[0] for _ in range(6 * 96)])
        # A working day before, one after.
        for label, first in (("before", 0), ("after", 4)):
            peak = _evening_peak(load[first * 96 : (first + 1) * 96])
            at = begin + first * 86_400_000 + peak * 900_000
            local = datetime.fromtimestamp(at / 1000, ZoneInfo("UTC")).astimezone(zone)
            hour = local.hour + local.minute / 60.0
            checks.append(near(f"evening peak {label} the change in {name}, local", 19.5, hour,
                               "H0 peaks between 19 and 20", by=0.51, unit="h"))  # fmt: skip
    return checks


def _evening_peak(load: Floats) -> int:
    """Return the quarter-hour of the peak after 14:00 UTC."""
    return 56 + int(np.argmax(load[56:]))
