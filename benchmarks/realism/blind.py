"""A blind test: a classifier tries to distinguish gridsim's days from those of an established
model.
"""

from __future__ import annotations

import csv
import importlib.util
import random
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.realism.drive import utc_ms
from benchmarks.realism.household import homes_of
from benchmarks.realism.measured import house_near_paris
from benchmarks.realism.plotting import canvas, save
from benchmarks.realism.report import Check, Figure, Group, note
from gridsim.api import Floats
from gridsim.testing import make_tick

CREST = "richardsonpy (RWTH Aachen, MIT licence): CREST's model of occupancy, light, appliances"
_LPG = "LoadProfileGenerator, household CHR01, in hisim (FZ Juelich, MIT licence)"
_CHR01 = (
    "inputs/loadprofiles/predefined_lpg_household_chr01/data_processed/"
    "SumProfiles.HH1.Electricity.csv"
)
_SELF = "a comparison of gridsim with itself"
HOMES, _DAYS = 80, 5
_OCCUPANTS = (0.41, 0.34, 0.12, 0.09, 0.04)
"""The shares of households with 1 to 5 persons (Destatis, Mikrozensus 2022)."""
_SHOWN, _SINGLE = 10, 3


@dataclass(frozen=True, slots=True)
class Days:
    """Days of homes at one minute."""

    power: Floats
    """float64[days, 1440], kW, rounded to 0.01 kW."""
    home: NDArray[np.int64]
    """int64[days], the home of each day; all days of a home are on one side of a split."""


def run(plots: Path) -> Group:
    about = f"""{HOMES} homes with {_DAYS} days each at one minute, as drawn by richardsonpy
(without its electric heating and hot water) and by gridsim, whose homes have the same mean annual
energies. A gradient boosting classifier (scikit-learn) learns {len(features_of(np.zeros(1440)))}
features of a day: quantiles, changes from minute to minute, autocorrelation, spectrum, switch-on
counts, means by time of day. The area under the curve (AUC) is that of five-fold cross-validation
in which all days of a home are on one side: 0.5 is a guess, 1 finds every day. **The aim is less
than 0.75, and it is not met.** richardsonpy switches constant powers for a whole number of minutes
and keeps a base load of 50 W, so that its power stands still for most of the day.

A second reference is the home CHR01 of LoadProfileGenerator, which replays measured courses of
devices (a year at one minute, in the package `hisim`). A single home differs from other homes by
its own devices and habits, so compare its AUC with that of single homes of gridsim. The days of
measured homes follow in the next section.

The features by which gridsim and richardsonpy differ most are listed with the medians of all, and
the value of a measured day, which is one house in December and no population. In the five whole
days of this house at hand, the share of minutes without a change is .06 to .36, and the
autocorrelation at 2 min .64 to .96. RAMP (`rampdemand`) has no European homes to compare with: a
user writes the appliances."""
    theirs, annual_kwh = richardson_days()
    ours = gridsim_days(annual_kwh, 3, 0)
    other = gridsim_days(annual_kwh, 5, HOMES)
    names = list(features_of(theirs.power[0]))
    there, here = table_of(theirs), table_of(ours)
    measured = list(features_of(np.round(house_near_paris()[1], 2)).values())
    apart = sorted(
        ((auc_of_one(there[:, i], here[:, i]), i) for i in range(len(names))), reverse=True
    )
    checks = [
        note("AUC, gridsim beside richardsonpy", f"{_auc(theirs, ours):.3f}", CREST, "< 0.75"),
        note("AUC, gridsim beside gridsim's other days", f"{_auc(other, ours):.3f}", _SELF, "0.5"),
    ]
    profile = _profile()
    if profile is not None:
        checks += _single(profile)
    third = table_of(profile) if profile is not None else np.full_like(there, np.nan)
    checks += [_feature(names[i], auc, there[:, i], here[:, i], third[:, i], measured[i])
               for auc, i in apart[:_SHOWN]]  # fmt: skip
    _plot(plots, [names[i] for _, i in apart[:6]], [i for _, i in apart[:6]], there, here, measured)
    caption = (
        "The features by which a day of gridsim and one of richardsonpy differ most, and the "
        "value of one measured day."
    )
    return Group("Blind test", about, checks, [Figure("blind.png", caption)])


def _feature(
    name: str, auc: float, there: Floats, here: Floats, third: Floats, measured: float
) -> Check:
    found = f"{np.median(here):.3g}, AUC alone {auc:.2f}"
    reference = f"{np.median(there):.3g}; CHR01 {np.median(third):.3g}; measured {measured:.3g}"
    return note(f"{name}, median", found, CREST, reference)


def richardson_days() -> tuple[Days, list[float]]:
    """Return days of richardsonpy, and the mean annual energy of each of its homes, kWh."""
    from richardsonpy.classes.appliance import Appliances
    from richardsonpy.classes.electric_load import ElectricLoad
    from richardsonpy.classes.lighting import load_lighting_profile
    from richardsonpy.classes.occupancy import Occupancy
    from richardsonpy.classes.stochastic_el_load_wrapper import ElectricityProfile
    from richardsonpy.functions.change_resolution import change_resolution
    from richardsonpy.functions.load_radiation import get_rad_from_try_path

    # The model draws from the global generators.
    np.random.seed(1)
    random.seed(1)
    rng = np.random.default_rng(1)
    inputs = _folder_of_inputs()
    irradiance = sum(change_resolution(part, 3600, 60) for part in get_rad_from_try_path())
    power, norms = [], []
    for _ in range(HOMES):
        occupants = int(rng.choice(5, p=_OCCUPANTS)) + 1
        norm = ElectricLoad.standard_consumption["SFH"][occupants]
        norms.append(norm)
        present = Occupancy(number_occupants=occupants).occupancy
        appliances = Appliances(
            str(inputs / "Appliances.csv"),
            annual_consumption=0.91 * norm,
            randomize_appliances=True,
            prev_heat_dev=True,
        )
        lights = load_lighting_profile(str(inputs / "LightBulbs.csv"), int(rng.integers(50)))
        profile = ElectricityProfile(appliances, lights)
        for day in rng.choice(365, _DAYS, replace=False).tolist():
            watts, _, _ = profile.power_sim(
                irradiation=irradiance[1440 * day : 1440 * (day + 1)],
                weekend=(day + 1) % 7 in (0, 6),
                day=day,
                occupancy=present[144 * day : 144 * (day + 1)],
            )
            power.append(np.asarray(watts) / 1000.0)
    days = Days(np.round(power, 2), np.repeat(np.arange(HOMES), _DAYS))
    # Its homes use more than the norm that it scales its appliances by.
    scale = 8760.0 * float(days.power.mean()) / float(np.mean(norms))
    return days, [scale * norm for norm in norms]


def _profile() -> Days | None:
    """Return days of the home CHR01 of LoadProfileGenerator, or None without its package."""
    found = importlib.util.find_spec("hisim")
    if found is None or found.origin is None:
        return None
    file = Path(found.origin).parent / _CHR01
    with file.open() as lines:
        rows = csv.reader(lines, delimiter=";")
        next(rows)
        power = np.array([60.0 * float(row[2]) for row in rows])
    days = power[: 365 * 1440].reshape(365, 1440)[:: 365 // HOMES][:HOMES]
    # Each day is a separate group, because there are no other homes to learn from.
    return Days(np.round(days, 2), -1 - np.arange(len(days)))


def _single(profile: Days) -> list[Check]:
    """Distinguish the days of a single home from those of gridsim's homes of the same energy."""
    kwh = 8760.0 * float(profile.power.mean())
    others = gridsim_days([kwh] * HOMES, 7, 0)
    alone = []
    for home in range(_SINGLE):
        one = gridsim_days([kwh], 11, HOMES + home, count=1, days=HOMES)
        alone.append(_auc(Days(one.power, -1 - np.arange(len(one.power))), others))
    return [
        note("AUC, one home of LoadProfileGenerator beside 80 homes of gridsim",
             f"{_auc(profile, others):.3f}", _LPG, "as below"),
        note(f"AUC, one home of gridsim beside the same, mean of {_SINGLE}",
             f"{float(np.mean(alone)):.3f}", _SELF),
    ]  # fmt: skip


def _folder_of_inputs() -> Path:
    import richardsonpy

    return Path(richardsonpy.__file__).parent / "inputs"


def gridsim_days(
    annual_kwh: list[float], seed: int, first: int, *, count: int = HOMES, days: int = _DAYS
) -> Days:
    """Return days of homes with given annual energies; another seed gives other days."""
    rng = np.random.default_rng(seed)
    every = np.sort(rng.choice(365, min(8 * days, 80), replace=False))
    load = homes_of(first + count, [annual_kwh[0]] * first + annual_kwh, spread=0.0)
    power = np.empty((len(every), count, 1440))
    for row, day in enumerate(every.tolist()):
        start_ms = utc_ms("2025-12-31T23:00:00") + day * 86_400_000
        for minute in range(1440):
            tick = make_tick(minute, start_ms=start_ms, tick_s=60.0)
            power[row, :, minute] = load.at(tick)[first:]
    chosen = [power[rng.choice(len(every), days, replace=False), home] for home in range(count)]
    home = np.repeat(np.arange(count) + 1000 * seed, days)
    return Days(np.round(np.concatenate(chosen), 2), home)


def features_of(day: Floats) -> dict[str, float]:
    """Return the features of a day, by name."""
    change = np.diff(day)
    size = np.abs(change)
    found = {f"quantile {q} %, kW": np.percentile(day, q) for q in (5, 25, 50, 75, 90, 95, 99)}
    found |= {"highest, kW": day.max(), "mean, kW": day.mean()}
    found |= {f"change, quantile {q} %, kW": np.percentile(size, q) for q in (50, 75, 90, 95, 99)}
    found["minutes without a change, share"] = (change == 0.0).mean()
    found["minutes that change by at most 20 W, share"] = (size < 0.0205).mean()
    around = day - day.mean()
    variance = float((around * around).mean()) + 1e-12
    for lag in (1, 2, 5, 10, 15, 30, 60, 120, 360):
        found[f"autocorrelation at {lag} min"] = (around[lag:] * around[:-lag]).mean() / variance
    spectrum = np.abs(np.fft.rfft(around)) ** 2
    spectrum /= spectrum.sum() + 1e-12
    edges = (1, 4, 12, 24, 48, 96, 180, 360, 721)
    for low, high in pairwise(edges):
        title = f"spectrum, {1440 / high:.0f} to {1440 / low:.0f} min, share"
        found[title] = spectrum[low:high].sum()
    found |= {f"switched on by over {kw} kW, times": (change > kw).sum()
              for kw in (0.05, 0.1, 0.2, 0.5, 1.0, 1.4, 2.0, 3.0)}  # fmt: skip
    for part, mean in enumerate(day.reshape(6, 240).mean(axis=1)):
        found[f"mean from {4 * part} to {4 * part + 4} h, kW"] = mean
    found["least at night, kW"] = day[60:300].min()
    found["powers of 0.01 kW that occur"] = len(np.unique(day))
    return {name: float(value) for name, value in found.items()}


def table_of(days: Days) -> Floats:
    """Return the features of all days, [day, feature]."""
    return np.array([list(features_of(day).values()) for day in days.power])


def _auc(one: Days, other: Days) -> float:
    """Return the cross-validated area under the curve of a classifier of days."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    features = np.concatenate([table_of(one), table_of(other)])
    labels = np.repeat([0, 1], [len(one.home), len(other.home)])
    model = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.08, random_state=0)
    homes = np.concatenate([one.home, other.home])
    guessed: Any = cross_val_predict(
        model, features, labels, groups=homes, cv=GroupKFold(5), method="predict_proba"
    )
    return float(roc_auc_score(labels, guessed[:, 1]))


def auc_of_one(there: Floats, here: Floats) -> float:
    """Return how well a threshold on a single feature separates the two, 0.5 to 1."""
    from sklearn.metrics import roc_auc_score

    labels = np.repeat([0, 1], [len(there), len(here)])
    return abs(float(roc_auc_score(labels, np.concatenate([there, here]))) - 0.5) + 0.5


def _plot(
    plots: Path,
    names: list[str],
    columns: list[int],
    there: Floats,
    here: Floats,
    measured: list[float],
) -> None:
    figure, axes = canvas(2, 3, size=(10, 5))
    for axis, name, column in zip(axes.flat, names, columns, strict=True):
        both = np.concatenate([there[:, column], here[:, column], [measured[column]]])
        bins = np.linspace(both.min(), np.percentile(both, 99.5), 41)
        axis.hist(there[:, column], bins, alpha=0.6, label="richardsonpy")
        axis.hist(here[:, column], bins, alpha=0.6, label="gridsim")
        axis.axvline(measured[column], color="black", linestyle="--", label="measured day")
        axis.set(xlabel=name, ylabel="days")
    axes[0, 0].legend()
    save(figure, plots, "blind.png")
