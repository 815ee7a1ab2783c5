"""The grid: frequency, voltage, the coherence of the electrical columns, and grid support."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.realism import opender
from benchmarks.realism.drive import scenario_of
from benchmarks.realism.report import Check, Group, at_least, at_most, near, note
from gridsim.api import Batch, Draws, Floats
from gridsim.contracts.measurands import ELECTRICAL, LINES
from gridsim.helpers.synchronous_areas import SYNCHRONOUS_AREAS
from gridsim.simulation.measurands.frequency import Frequency
from gridsim.simulation.step import Simulation

_AREA = "continental-europe"
_HOURS = 240
_HOMES, _TICK_S, _TICKS = 60, 600, 7 * 144
_GORJAO = "Rydin Gorjao et al., Nature Communications 11 (2020), rounded"
_FITTED = (
    "noise of 1.05 mHz per root of s, pulled back in 120 s (Rydin Gorjao, IEEE Access 8, 2020)"
)
_STREET = f"""
[simulation]
seed = 7
tick_s = {_TICK_S}
start = 2026-06-08T00:00:00+02:00
measurands = {sorted(ELECTRICAL)}
[site]
latitude = 48.1
longitude = 11.6
timezone = "Europe/Berlin"
[[projects]]
id = "HOME_{{n}}"
count = {_HOMES}
load = {{ type = "household", annual_kwh = 4500 }}
[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = {{ uniform = [4, 12] }}
[[projects.ders]]
id = "{{project_id}}_EV"
type = "ev_charger"
nameplate_capacity = 11
[[projects.ders]]
id = "{{project_id}}_HP"
type = "heat_pump"
nameplate_capacity = 3
"""


def run(plots: Path) -> Group:
    """Return the checks of the grid; it draws no picture."""
    about = f"""The frequency of Continental Europe over {_HOURS // 24} days at 1 s. The voltages of
{_HOMES} homes near Munich with solar, a car and a heat pump, on three lines each, in means of ten
minutes of a week in June under the weather `synthetic`. Grid support beside
[OpenDER](https://pypi.org/project/opender/), the model of EPRI, with its default curves and with
others."""
    return Group("The grid", about, [*_frequency(), *_street(), *opender.checks()])


def _frequency() -> list[Check]:
    area = SYNCHRONOUS_AREAS[_AREA]
    process = Frequency(Draws(1), _AREA)
    hz = np.array([process.at(second * 1000) for second in range(_HOURS * 3600)])
    deviation = 1000.0 * (hz - area.nominal_hz)
    falls_s = next(
        lag for lag in range(10, 3600, 10) if _correlation(deviation, lag) < np.exp(-1.0)
    )
    minute = float(np.std(deviation[60:] - deviation[:-60]))
    return [
        near("frequency: standard deviation", 20.0, float(deviation.std()), _GORJAO, rel=0.1,
             unit="mHz"),
        at_most("  share of the time beyond 50 mHz", 0.03, float((np.abs(deviation) > 50.0).mean()),
                "at most 15,000 minutes a year (EU 2017/1485, annex III)"),
        near("  autocorrelation: falls to 1/e after", area.correlation_s, float(falls_s),
             "the setting of the area", rel=0.2, unit="s"),
        at_least("  change in a minute: standard deviation", 7.2, minute, _FITTED, unit="mHz"),
        at_most("  change in a minute: standard deviation", 14.4, minute,
                "twice that: the fit leaves out the steps of the market", unit="mHz"),
    ]  # fmt: skip


def _correlation(values: Floats, lag: int) -> float:
    return float(np.corrcoef(values[:-lag], values[lag:])[0, 1])


def _street() -> list[Check]:
    simulation = Simulation(scenario_of(_STREET))
    project = simulation.roster.project
    first = np.unique(project, return_index=True)[1]
    nominal = 230.0
    volts = np.empty((_TICKS, 3, _HOMES))
    worst = worst_meter = 0.0
    for tick in range(_TICKS):
        batch = simulation.step()
        volts[tick] = _lines(batch, "meter_voltage")[:, first]
        worst = max(worst, float(_error(batch, batch.current_output, "").max()))
        net = np.bincount(project, -batch.current_output, _HOMES)
        net += batch.power_meter_measurement[first]
        # The sum of the rounded outputs of the devices adds to the error of the meter.
        error = _error(batch, net[project], "meter_", also_kw=0.02)
        worst_meter = max(worst_meter, float(error.max()))
    deviation = volts / nominal - 1.0
    within = (np.abs(deviation) <= 0.1).mean(axis=(0, 1))
    of_day = volts.reshape(7, 144, -1).mean(axis=(0, 2))
    noon, evening = float(of_day[72:90].mean()), float(of_day[114:132].mean())
    return [
        at_least("voltage: 10-minute values within 10 %, worst home", 0.95, float(within.min()),
                 "EN 50160: 95 % of each week"),
        at_most("  largest deviation", 0.15, float(np.abs(deviation).max()),
                "EN 50160: all values within -15 and +10 %"),
        note("  1st, 50th and 99th percentile",
             ", ".join(f"{value:.1f}" for value in np.percentile(volts, (1, 50, 99))) + " V", "-"),
        at_least("  mean from 12 to 15 h over that from 19 to 22 h", 0.5, noon - evening,
                 "solar lifts, evening load lowers", unit="V"),
        at_most("coherence: P beside U I cos(phi), devices", 1.0, worst,
                "share of the error that the columns' rounding allows"),
        at_most("  meters", 1.0, worst_meter, "share of the error that rounding allows"),
    ]  # fmt: skip


def _lines(batch: Batch, name: str) -> Floats:
    return np.array([batch.extra[name + line] for line in LINES])


def _error(batch: Batch, power: Floats, prefix: str, also_kw: float = 0.0) -> Floats:
    """Return the error of P beside U I cos(phi), as a share of what rounding allows."""
    volts, amperes = _lines(batch, prefix + "voltage"), _lines(batch, prefix + "current")
    factor = batch.extra[prefix + "power_factor"]
    apparent = np.nansum(volts * amperes, axis=0) / 1000.0
    # Half a unit of the last decimal of the factor, the voltages, the currents and the power.
    by_lines = np.nansum(0.05 * amperes + 0.005 * volts, axis=0) / 1000.0
    allowed = 0.0005 * apparent + by_lines + 0.005 + also_kw
    return np.abs(apparent * factor - power) / allowed
