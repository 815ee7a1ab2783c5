"""Pictures of single homes, a street, and what many homes draw at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.realism.measured import house_near_paris
from benchmarks.realism.plotting import canvas, save
from gridsim.api import Floats

_ZOOM = (18, 19)
"""The hours of the evening that are shown close up."""
_PUBLISHED = (
    # homes, least and most kW per home, and what it is
    (100, 1.5, 1.5, "Britain, 100 homes, half-hours of a year (CLNR-L217, 2015)"),
    (1000, 0.54, 1.78, "London, classes of homes, half-hours (Konstantelos et al. 2014)"),
)


def plot_days(plots: Path, winter: Floats, summer: Floats) -> None:
    """Draw days of a home, kW by second, beneath a measured one."""
    measured, minutes = house_near_paris()[1], winter.reshape(1440, 60).mean(axis=1)
    rows = (
        ("measured: a house near Paris, Tuesday 19 December 2006, means of a minute", measured,
         "black"),
        ("gridsim: a home of 5,500 kWh a year, Tuesday 13 January, means of a minute", minutes,
         "C0"),
        ("the same day of the same home at 1 s", winter, "C0"),
        ("the same home, Tuesday 14 July, at 1 s", summer, "C1"),
    )  # fmt: skip
    figure, axes = canvas(len(rows) + 1, 1, size=(9, 9))
    top = 1.05 * max(float(load.max()) for _, load, _ in rows)
    for axis, (title, load, color) in zip(axes, rows, strict=False):
        axis.plot(np.arange(len(load)) * 24.0 / len(load), load, linewidth=0.6, color=color)
        axis.set(ylabel="kW", xlim=(0, 24), ylim=(0, top), xticks=range(0, 25, 2))
        axis.set_title(title, loc="left", fontsize=9, pad=2)
    axes[3].set_xlabel("hour, local time")
    begin, end = _ZOOM
    close, mean = winter[begin * 3600 : end * 3600], minutes[begin * 60 : end * 60]
    axes[4].plot(np.arange(len(close)) / 60.0, close, linewidth=0.7, color="C0", label="1 s")
    axes[4].stairs(mean, np.arange(len(mean) + 1), color="C3", label="means of a minute")
    axes[4].set(xlabel="minute", ylabel="kW", xlim=(0, 60), ylim=(0, None))
    axes[4].set_title(f"the winter day from {begin} to {end} h", loc="left", fontsize=9, pad=2)
    axes[4].legend(loc="upper right")
    save(figure, plots, "home-days.png", dpi=90)


def plot_street(plots: Path, load: Floats) -> None:
    """Draw the homes of a street, kW, [minute, home], and their sum."""
    homes = load.shape[1]
    figure, axes = canvas(2, 1, size=(9, 6), sharex=True)
    hours = np.arange(1440) / 60.0
    image = axes[0].imshow(
        np.sqrt(load.reshape(288, 5, homes).mean(axis=1).T), aspect="auto",
        extent=(0, 24, homes + 0.5, 0.5), cmap="magma", interpolation="nearest", vmax=2.0,
    )  # fmt: skip
    axes[0].set(ylabel="home", yticks=(1, 5, 10, 15, 20))
    axes[0].set_title("each home, means of five minutes", loc="left", fontsize=9)
    axes[0].grid(visible=False)
    bar = figure.colorbar(image, ax=axes[0], label="kW", ticks=np.sqrt([0.1, 0.5, 1, 2, 4]))
    bar.ax.set_yticklabels(["0.1", "0.5", "1", "2", "4"])
    axes[1].plot(hours, load.sum(axis=1), linewidth=0.6, label="sum, means of a minute")
    half = load.sum(axis=1).reshape(48, 30).mean(axis=1)
    axes[1].stairs(half, np.arange(49) / 2.0, color="C3", label="sum, means of half an hour")
    axes[1].set(ylabel="kW", xlabel="hour, local time", ylim=(0, None), xticks=range(0, 25, 2))
    axes[1].legend(loc="upper left")
    save(figure, plots, "home-street.png", dpi=80)


def plot_weeks(plots: Path, week: Floats) -> None:
    """Draw a week of homes, kW, [minute, home], beneath five measured days."""
    figure, axes = canvas(week.shape[1] + 1, 1, size=(9, 7), sharex=True)
    rows = [("measured: a house near Paris, Monday 18 to Friday 22 December 2006",
             house_near_paris().ravel(), "black")]  # fmt: skip
    rows += [(f"gridsim: home {home + 1}, Monday 12 to Sunday 18 January 2026", load, "C0")
             for home, load in enumerate(week.T)]  # fmt: skip
    for axis, (title, load, color) in zip(axes, rows, strict=True):
        means = load.reshape(-1, 5).mean(axis=1)
        axis.plot(np.arange(len(means)) / 288.0, means, linewidth=0.6, color=color)
        axis.set(ylabel="kW", xlim=(0, 7), ylim=(0, None))
        axis.set_title(title, loc="left", fontsize=9, pad=2)
    axes[-1].set(xlabel="days from Monday, 00 h local time; means of five minutes")
    save(figure, plots, "home-weeks.png", dpi=80)


def plot_curves(
    plots: Path,
    demand: tuple[Mapping[int, float], Mapping[int, float]],
    year: Floats,
    events: Mapping[str, float],
    floor: Floats,
) -> None:
    """Draw the maximum demand by number of homes, load duration, switch-ons and floors.

    `demand` is at a second and at half an hour, kW by number of homes; `year` kW [quarter-hour,
    home]; `events` counts per home and day by class of power; `floor` kW of each home.
    """
    figure, axes = canvas(2, 2, size=(11, 8))
    (peaks, lasting), (switched, floors) = axes
    for one, name in zip(demand, ("1 s", "half an hour"), strict=True):
        peaks.semilogx(list(one), list(one.values()), marker=".", label=f"gridsim, {name}")
    second = demand[0]
    sizes = np.array(sorted(second))
    form = second[10_000] + (second[1] - second[10_000]) / np.sqrt(sizes)
    peaks.semilogx(sizes, form, "k:", label="the form of Rusck (1956): a + b / square root of n")
    for (homes, low, high, name), mark in zip(_PUBLISHED, ("s", ""), strict=True):
        peaks.plot((homes, homes), (low, high), f"{mark}-", lw=4, label=name)
    peaks.set(xlabel="homes", ylabel="largest power per home, kW", ylim=(0, 4.6))
    peaks.set_title("after-diversity maximum demand of an evening", loc="left")
    peaks.legend(fontsize=8, loc="upper right")
    share = np.linspace(0.0, 100.0, len(year))
    ordered = np.sort(year, axis=0)[::-1]
    for home in range(10):
        lasting.semilogy(share, ordered[:, home], linewidth=0.6, color="C0",
                         label="ten homes" if home == 0 else None)  # fmt: skip
    lasting.semilogy(share, ordered.mean(axis=1), "k", label="mean of 60 homes")
    lasting.set(xlabel="% of the year", ylabel="kW, means of 15 min", xlim=(0, 100))
    lasting.set_title("load duration", loc="left")
    lasting.legend()
    bars = switched.bar(list(events), list(events.values()))
    switched.bar_label(bars, fmt="%.1f", fontsize=8)
    switched.set(ylabel="per home and day", xlabel="rise from minute to minute, kW")
    switched.tick_params("x", rotation=30)
    switched.set_title("switch-on events, mean of 200 homes", loc="left")
    floors.hist(1000.0 * floor, bins=np.arange(0.0, 500.0, 20.0))
    floors.set(xlabel="power that is exceeded for 90 % of 02 to 04 h, W", ylabel="homes of 1,000")
    floors.set_title("floor in a night of January", loc="left")
    save(figure, plots, "home-curves.png", dpi=80)
