"""EV charging sessions in the emitted telemetry, against those of Trondheim."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.realism.drive import scenario_of
from benchmarks.realism.plotting import canvas, save
from benchmarks.realism.report import Check, Figure, Group, at_most, near, note
from gridsim.api import Floats
from gridsim.simulation.step import Simulation

_TRONDHEIM = "Sorensen et al., Data in Brief 36 (2021), 5,466 private sessions (CC BY)"
_TRONDHEIM_OWN = "counted in the same sessions"
_EVI = "EVI-Pro, 250-mile cars"
_DAYS, _CHARGERS, _TICK_S = 61, 1000, 300.0
_CAPACITY_KWH, _EFFICIENCY = 60.0, 0.9
# fmt: off
SHARES = np.array([
    0.9, 0.4, 0.2, 0.2, 0.0, 0.1, 0.3, 1.2, 1.1, 0.7, 1.3, 1.7,
    2.0, 2.9, 4.4, 11.9, 17.5, 8.5, 8.2, 10.5, 9.8, 7.6, 5.7, 2.9,
])
# fmt: on
# The share of the sessions that last overnight, for arrivals from and to these hours, %.
OVERNIGHT = (
    (6, 10, 3.5),
    (10, 14, 16.4),
    (14, 16, 35.4),
    (16, 18, 49.5),
    (18, 20, 70.0),
    (20, 22, 84.3),
    (22, 24, 93.5),
)  # fmt: skip
# A Monday; no change of clocks within the run.
_CONFIG = f"""
[simulation]
seed = 11
tick_s = {_TICK_S}
start = 2026-04-06T00:00:00+02:00
[site]
latitude = 63.43
longitude = 10.4
timezone = "Europe/Oslo"
[weather]
type = "clear"
[[projects]]
id = "USER_{{n}}"
count = {_CHARGERS}
load = {{ type = "constant" }}
[[projects.ders]]
id = "{{project_id}}_EV"
type = "ev_charger"
nameplate_capacity = 7.2
battery_capacity_kwh = {_CAPACITY_KWH}
target_soc = 100
sessions_per_day = 0.58
"""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Whole sessions, float64[n] each; hours count from the run's first midnight."""

    start_h: Floats
    stay_h: Floats
    kwh: Floats
    arrival_soc: Floats

    @property
    def end_h(self) -> Floats:
        return self.start_h + self.stay_h

    @property
    def weekday(self) -> Floats:
        """The day of the week; The day of the week; 0 is Monday."""
        return np.floor(self.start_h / 24.0) % 7


def run(plots: Path) -> Group:
    about = f"""{_CHARGERS:,} chargers of 7.2 kW for {_DAYS} days at ticks of {_TICK_S:g} s, on the
emitted batches: a session starts when the state of charge appears (or falls, when one car follows
another within a tick) and ends when it disappears; its energy is the integral of
`current_output`. A start that shows at a tick happened within the tick before it: half a tick is
taken off. All cars have 60 kWh, charge to 100 % and come .58 times a day, as the cars of the
sources are taken to; by default each car has its own battery and target, see the next section.
Sessions under way at the start or the end of the run are left out, and so are those
that start in the first five days. The plugin documents that weekends are as weekdays: the
weekend's starts are held to the same histogram."""
    found = sessions(_CONFIG, _CHARGERS, _DAYS, _TICK_S)
    checks = [*_energy_and_stay(found), *_starts(found), *_leaving(found), *_agreement(found)]
    _plot(plots, found)
    caption = "Plug-in starts on weekdays in the telemetry, beside the published histogram."
    return Group("EV chargers", about, checks, [Figure("ev-arrivals.png", caption)])


def sessions(
    config: str, chargers: int, days: int, tick_s: float, until_day: int | None = None
) -> Sessions:
    """Return the whole sessions of a run that start after its fifth day, and before `until_day`."""
    simulation = Simulation(scenario_of(config))
    ticks = round(days * 86_400 / tick_s)
    power = np.empty((ticks, chargers), np.float32)
    soc = np.empty((ticks, chargers), np.float32)
    for index in range(ticks):
        batch = simulation.step()
        power[index], soc[index] = batch.current_output, batch.current_soc
    here = ~np.isnan(soc)
    fell = np.zeros_like(here)
    fell[1:] = here[1:] & here[:-1] & (np.nan_to_num(soc[1:]) < np.nan_to_num(soc[:-1]) - 0.2)
    begins = here.copy()
    begins[1:] &= ~here[:-1] | fell[1:]
    hours = tick_s / 3600.0
    total = np.concatenate((np.zeros((1, chargers)), np.cumsum(-power.astype(float), axis=0)))
    columns: list[Floats] = []
    for device in range(chargers):
        first = np.flatnonzero(begins[:, device])
        stops = np.flatnonzero(~here[:, device] | begins[:, device])
        last = np.append(stops, ticks)[np.searchsorted(stops, first, side="right")]
        whole = (first >= 5 * 86_400 / tick_s) & (last < ticks)
        whole &= first < (days if until_day is None else until_day) * 86_400 / tick_s
        first, last = first[whole], last[whole]
        kwh = (total[last, device] - total[first, device]) * hours
        rows = ((first - 0.5) * hours, (last - first) * hours, kwh, soc[first, device])
        columns.append(np.array(rows, np.float64))
    return Sessions(*np.concatenate(columns, axis=1))


def _energy_and_stay(found: Sessions) -> list[Check]:
    def quantile(values: Floats, q: float) -> float:
        return float(np.quantile(values, q))

    rate = len(found.start_h) / _CHARGERS / (_DAYS - 5)
    kwh, stay = found.kwh, found.stay_h
    # A car that is full before the first tick after its arrival charges nothing that is reported.
    logs = np.log(kwh[kwh > 0.0])
    return [
        note("sessions measured", f"{len(kwh):,}", "-"),
        near("sessions per user and day", 0.58, rate, _TRONDHEIM, rel=0.1),
        near("energy, mean", 11.2, float(kwh.mean()), _TRONDHEIM, rel=0.1, unit="kWh"),
        near("energy, median", 8.2, quantile(kwh, 0.5), _TRONDHEIM, rel=0.1, unit="kWh"),
        near("energy, q95", 30.9, quantile(kwh, 0.95), _TRONDHEIM, rel=0.1, unit="kWh"),
        near("energy, mean of the logarithm", 2.11, float(logs.mean()), _TRONDHEIM,
             rel=0.1),
        near("energy, deviation of the logarithm", 0.83, float(logs.std()), _TRONDHEIM,
             rel=0.1),
        near("stay, mean", 12.8, float(stay.mean()), _TRONDHEIM, rel=0.1, unit="h"),
        near("stay, median", 11.25, quantile(stay, 0.5), _TRONDHEIM, rel=0.1, unit="h"),
        near("stay, q95", 37.7, quantile(stay, 0.95), _TRONDHEIM, rel=0.1, unit="h"),
    ]  # fmt: skip


def distance(start_h: Floats) -> float:
    """Return the Kolmogorov-Smirnov distance of starts from the published hours, at whole hours."""
    counted = np.histogram(start_h % 24.0, np.arange(25))[0]
    ours, theirs = np.cumsum(counted) / counted.sum(), np.cumsum(SHARES) / SHARES.sum()
    return float(np.abs(ours - theirs).max())


def _starts(found: Sessions) -> list[Check]:
    weekday = found.weekday < 5
    of_day = found.start_h[weekday] % 24.0
    quantiles = np.quantile(of_day, [0.05, 0.5, 0.95]).tolist()
    checks = [
        near(f"weekday start, q{q}", wanted, value, _TRONDHEIM, rel=0.1, unit="h")
        for q, wanted, value in zip((5, 50, 95), (9.9, 17.4, 22.6), quantiles, strict=True)
    ]
    for name, which in (("weekday", weekday), ("weekend (as weekdays)", ~weekday)):
        ks = distance(found.start_h[which])
        checks.append(at_most(f"{name} starts: KS distance", 0.05, ks, _TRONDHEIM))
    return checks


def _leaving(found: Sessions) -> list[Check]:
    nights = np.floor(found.end_h / 24.0) - np.floor(found.start_h / 24.0)
    long = found.stay_h >= 24.0
    same_day = nights == 0
    overnight = (nights == 1) & ~long
    hour = found.start_h % 24.0
    by_arrival = [
        near(f"stay overnight, arrival from {first} to {last} h", wanted,
             100.0 * float(overnight[(hour >= first) & (hour < last)].mean()), _TRONDHEIM_OWN,
             by=3.5, unit="%")
        for first, last, wanted in OVERNIGHT
    ]  # fmt: skip
    leaves = found.end_h[overnight & (np.floor(found.end_h / 24.0) % 7 < 5)] % 24.0
    q25, q50, q75 = np.quantile(leaves, [0.25, 0.5, 0.75]).tolist()
    return [
        near("leave on the same day", 37.0, 100.0 * float(same_day.mean()), _TRONDHEIM, rel=0.1,
             unit="%"),
        near("stay overnight", 55.0, 100.0 * float(overnight.mean()), _TRONDHEIM, rel=0.1,
             unit="%"),
        near("stay 24 h or longer", 8.0, 100.0 * float(long.mean()), _TRONDHEIM, rel=0.1,
             unit="%"),
        near("overnight, weekday departure, q25", 7.27, q25, _TRONDHEIM, rel=0.1, unit="h"),
        near("overnight, weekday departure, median", 7.77, q50, _TRONDHEIM, rel=0.1, unit="h"),
        near("overnight, weekday departure, q75", 9.48, q75, _TRONDHEIM, rel=0.1, unit="h"),
        near("same day, median stay (lognormal .74)", float(np.exp(0.74)),
             float(np.median(found.stay_h[same_day])), _TRONDHEIM, rel=0.1, unit="h"),
        *by_arrival,
    ]  # fmt: skip


def _agreement(found: Sessions) -> list[Check]:
    quantiles = np.quantile(found.arrival_soc, [0.05, 0.5, 0.95]).tolist()
    checks = [
        near(f"SoC on arrival, q{q}, car of 60 kWh", wanted, value, _EVI, rel=0.1, unit="%")
        for q, wanted, value in zip((5, 50, 95), (54.0, 90.0, 98.0), quantiles, strict=True)
    ]
    # The telemetry has the state of charge to 0.1 %, and the power to 0.01 kW.
    room = (100.0 - found.arrival_soc + 0.05) / 100.0 * _CAPACITY_KWH / _EFFICIENCY
    over = float((found.kwh - room).max())
    return [*checks, at_most("energy beyond the room that the car came with", 0.15, over,
                             "energy conservation", unit="kWh")]  # fmt: skip


def _plot(plots: Path, found: Sessions) -> None:
    starts = found.start_h[found.weekday < 5] % 24.0
    counted = np.histogram(starts, np.arange(25))[0]
    figure, axes = canvas(size=(8, 3.4))
    hours = np.arange(24)
    axes.bar(hours + 0.3, SHARES / SHARES.sum() * 100.0, 0.4, label="Trondheim, published")
    axes.bar(hours + 0.7, counted / counted.sum() * 100.0, 0.4, label="gridsim, telemetry")
    axes.set(xlabel="hour of the day", ylabel="% of weekday starts", xlim=(0, 24))
    axes.set_xticks(range(0, 25, 2))
    axes.legend()
    save(figure, plots, "ev-arrivals.png")
