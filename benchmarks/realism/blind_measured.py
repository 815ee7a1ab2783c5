"""A blind test beside measured homes, whose data are not in the repository."""

from __future__ import annotations

import csv
import gzip
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.realism.blind import (
    CREST,
    HOMES,
    Days,
    auc_of_one,
    features_of,
    gridsim_days,
    richardson_days,
    table_of,
)
from benchmarks.realism.plotting import canvas, save
from benchmarks.realism.report import Check, Figure, Group, note
from gridsim.api import Floats

FOLDER = "REALISM_MEASURED"
"""The environment variable that names the folder of the measured homes."""
_DATA = "IDEAL, REFIT, UK-DALE (each CC BY 4.0)"
_DAYS, _SHOWN, _SEEDS = 80, 12, 4
_BEFORE, _LAST = 0.955, 0.893


def missing() -> str | None:
    """Return what has to be done to run this group, or None if its data are there."""
    folder = os.environ.get(FOLDER)
    if folder and any(Path(folder).glob("*_House*_*.gzip")):
        return None
    return f"needs measured homes in the folder that {FOLDER} names"


@dataclass(frozen=True, slots=True)
class _Result:
    """The separation of days of measured homes from modelled ones."""

    each: Floats
    """The area under the curve for each measured home, which the classifier has not seen."""
    importance: Floats
    """The loss of that area when the values of a feature are shuffled, per feature."""


def run(plots: Path) -> Group:
    folder = Path(os.environ[FOLDER])
    results = []
    for seed in range(_SEEDS):
        days, names = _read(folder, seed)
        kwh = [8760.0 * float(days.power[days.home == home].mean()) for home in range(len(names))]
        each = [kwh[home % len(kwh)] for home in range(HOMES)]
        ours = gridsim_days(each, 3 + seed, seed * HOMES)
        results.append(_told(days, ours))
    theirs, _ = richardson_days()
    other = _told(days, theirs)
    means = [float(result.each.mean()) for result in results]
    about = f"""{len(days.power):,} days of {len(names)} homes in Britain at one minute ({_DATA}),
at most {_DAYS} of each, which were measured by current clamps and are rounded to 0.01 kW here, and
{len(ours.power)} days of {HOMES} homes of gridsim near Berlin with the same annual energies; both
are drawn {_SEEDS} times. The classifier and the features are those of the section before. It learns
from four of the measured homes and from four fifths of gridsim's, and is tried on the fifth home
and the rest, so that it never saw the devices of a home that it judges; the AUC is the mean of the
five, and of the {_SEEDS} draws.

The measured data are those that the repository adrienpetralia/DeviceScope (Apache 2.0) carries for
its page. They are read, and not part of this repository: `{FOLDER}=FOLDER make realism` reads the
`*_House*_*.gzip` files of its folder `Data`; without them this section stays as it was.

**The aim is less than 0.75, and it is not met.** It was {_BEFORE:g} before the base load, the
kettle and the fluctuation were changed, and {_LAST:g} after it, by a five-fold cross-validation
that counts a home by its days. The fluctuation was chosen with these days in view, so nothing here
is held out from the models, only from the classifier; no further measured homes were to be had.

What gives gridsim away, and would be mended next:

1. British homes have kettles of nearly 3 kW, and two of the five a shower of 9 kW; gridsim's are
   those of Germany. In a trial with such kettles, and such showers in 45 % of the homes, the AUC
   of one draw fell from .910 to .863.
2. The least power at night is .21 to .43 of a measured home's mean and .22 of gridsim's: too much
   of what runs at night goes on and off (compressors, heating pumps, lamps).
3. A home's power changes more within 2 to 4 minutes than gridsim's."""
    here, there = table_of(ours), table_of(days)
    titles = list(features_of(days.power[0]))
    importance = np.mean([result.importance for result in results], axis=0)
    order = np.argsort(-importance)[:_SHOWN]
    homes = np.mean([result.each for result in results], axis=0)
    said = ", ".join(f"{name} {auc:.2f}" for name, auc in zip(names, homes, strict=True))
    checks = [
        note("AUC, gridsim beside measured homes", f"{np.mean(means):.3f}", _DATA,
             "< 0.75"),
        note("  least and largest of the draws", f"{min(means):.3f}, {max(means):.3f}", _DATA),
        note("  for each home", said, _DATA),
        note("AUC, richardsonpy beside the same", f"{other.each.mean():.3f}", CREST),
        *(_feature(titles[i], importance[i], there[:, i], here[:, i], days.home)
          for i in order),
    ]  # fmt: skip
    _plot(plots, [titles[i] for i in order[:6]], there[:, order[:6]], here[:, order[:6]])
    caption = (
        "The features that best separate measured days from gridsim's, and their distribution "
        "in both."
    )
    return Group("Blind test beside measured homes", about, checks,
                 [Figure("blind-measured.png", caption)])  # fmt: skip


def _read(folder: Path, seed: int) -> tuple[Days, list[str]]:
    """Return whole days of each home, and the homes' names; days with gaps are left out."""
    found: dict[str, dict[str, list[float]]] = {}
    for file in sorted(folder.glob("*_House*_*.gzip")):
        own = found.setdefault(file.name.rpartition("_")[0].replace("_House", " "), {})
        with gzip.open(file, "rt") as stream:
            for row in csv.DictReader(stream):
                own.setdefault(row["Time"][:10], []).append(float(row["Aggregate"] or "nan"))
    rng = np.random.default_rng(seed)
    power, home = [], []
    for number, days in enumerate(found.values()):
        whole = np.array([day for day in days.values() if len(day) == 1440]) / 1000.0
        still = (np.diff(whole, axis=1) == 0.0).mean(axis=1)
        # A value that stands still for half of a day was not measured.
        whole = np.round(whole[(whole.min(axis=1) > 0.0) & (still < 0.5)], 2)
        power.append(whole[rng.permutation(len(whole))[:_DAYS]])
        home += [number] * len(power[-1])
    return Days(np.concatenate(power), np.array(home)), list(found)


def _told(measured: Days, modelled: Days) -> _Result:
    """Return how well days of each measured home are separated, trained on the other homes."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    count = len(np.unique(measured.home))
    there, here = table_of(measured), table_of(modelled)
    fold = modelled.home % count
    each, lost = [], np.zeros(there.shape[1])
    rng = np.random.default_rng(2)
    for home in range(count):
        out: NDArray[np.bool_] = np.concatenate([measured.home == home, fold == home])
        rows = np.concatenate([there, here])
        labels = np.repeat([0, 1], [len(there), len(here)])
        model: Any = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.1, random_state=0)
        model.fit(rows[~out], labels[~out])
        tried, truth = rows[out], labels[out]
        auc = float(roc_auc_score(truth, model.predict_proba(tried)[:, 1]))
        each.append(auc)
        for column in range(len(lost)):
            mixed = tried.copy()
            mixed[:, column] = rng.permutation(mixed[:, column])
            lost[column] += auc - float(roc_auc_score(truth, model.predict_proba(mixed)[:, 1]))
    return _Result(np.array(each), lost / count)


def _feature(
    title: str, importance: float, there: Floats, here: Floats, home: NDArray[np.int64]
) -> Check:
    low, high = np.percentile(here, [10, 90])
    found = f"{np.median(here):.3g} ({low:.3g} to {high:.3g})"
    medians = ", ".join(f"{np.median(there[home == h]):.3g}" for h in np.unique(home))
    source = f"{_DATA}; AUC lost without it {importance:.3f}, alone {auc_of_one(there, here):.2f}"
    return note(f"{title}, median (10 to 90 %)", found, source, medians)


def _plot(plots: Path, titles: list[str], there: Floats, here: Floats) -> None:
    figure, axes = canvas(2, 3, size=(11, 6))
    for axis, title, one, other in zip(axes.flat, titles, there.T, here.T, strict=True):
        both = np.concatenate([one, other])
        bins = np.linspace(both.min(), np.percentile(both, 99.0), 36)
        axis.hist(one, bins, density=True, alpha=0.6, label="measured, five homes in Britain")
        axis.hist(other, bins, density=True, alpha=0.6, label="gridsim")
        axis.set(xlabel=title, ylabel="density of days")
    axes[0, 0].legend(fontsize=8)
    save(figure, plots, "blind-measured.png")
