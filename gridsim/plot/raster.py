"""The picture as PNG or PDF, by matplotlib."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from gridsim.api import Floats
from gridsim.errors import UsageError
from gridsim.helpers.colours import HUES, hues
from gridsim.plot.day import Day
from gridsim.plot.words import LOAD, NET, SOC, note, title
from gridsim.report.stack import Stack

_THEMES = {
    "light": {"back": "#ffffff", "text": "#1a1d21", "soft": "#5b6470", "line": "#d9dde3",
              "load": "#7a828c", "blue": HUES["blue"]},
    "dark": {"back": "#14171b", "text": "#e8eaed", "soft": "#a3acb8", "line": "#343a42",
             "load": "#9aa3ae", "blue": "#3d9be0"},
}  # fmt: skip


def check_installed() -> None:
    """Raise UsageError if matplotlib is missing."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise UsageError(
            "gridsim plot: error: PNG and PDF need matplotlib, which is not installed: "
            'pip install "gridsim-der[plot]", or write an .svg, which needs nothing'
        )


def draw(day: Day, path: Path, theme: str) -> None:
    """Write the picture to a file. Raises OSError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    dates: Any = import_module("matplotlib.dates")

    colour, zone = _THEMES[theme], ZoneInfo(day.timezone)
    rows = [3.0, 1.0] if day.soc else [1.0]
    figure = Figure(figsize=(12, 7.2 if day.soc else 5.4), dpi=150, facecolor=colour["back"])
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        len(rows), 1, height_ratios=rows, hspace=0.12, left=0.07, right=0.97, top=0.86, bottom=0.1
    )
    power: Any = figure.add_subplot(grid[0])
    times = [_moment(ms) for ms in day.time_ms.tolist()]
    _power(day, power, times, colour)
    axes: list[Any] = [power]
    if day.soc:
        charge: Any = figure.add_subplot(grid[1], sharex=power)
        _charge(day, charge, times, colour)
        power.tick_params(labelbottom=False)
        axes.append(charge)
    locator = dates.AutoDateLocator(tz=zone, maxticks=12)
    axes[-1].xaxis.set_major_locator(locator)
    axes[-1].xaxis.set_major_formatter(
        dates.ConciseDateFormatter(locator, tz=zone, show_offset=False)
    )
    axes[-1].set_xlabel(f"local time, {day.timezone}", color=colour["soft"], fontsize=9)
    for axis in axes:
        axis.set_xlim(_moment(day.start_ms), _moment(day.end_ms))
        axis.set_facecolor(colour["back"])
        axis.grid(axis="y", color=colour["line"], linewidth=0.8)
        axis.set_axisbelow(True)
        axis.tick_params(colors=colour["soft"], labelsize=9)
        for name, spine in axis.spines.items():
            spine.set_visible(name == "bottom")
            spine.set_color(colour["line"])
        for event in day.events:
            axis.axvspan(
                _moment(event.start_ms),
                _moment(event.end_ms),
                color=colour["soft"],
                alpha=0.15,
                lw=0,
            )
    figure.text(0.012, 0.965, title(day), color=colour["text"], fontsize=13, weight="bold")
    figure.text(0.012, 0.015, note(day), color=colour["soft"], fontsize=8)
    handles, names = power.get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(0.005, 0.955),
        ncols=8,
        frameon=False,
        labelcolor=colour["soft"],
        fontsize=9,
        columnspacing=1.4,
        handlelength=1.4,
    )
    figure.savefig(path, facecolor=colour["back"])


def _power(day: Day, axis: Any, times: list[datetime], colour: dict[str, str]) -> None:
    fills = {**HUES, "blue": colour["blue"]}
    hue = hues(day.kw)
    labelled = set[str]()

    def fill(name: str, lower: Floats, upper: Floats) -> None:
        label = name or LOAD
        style = {"color": fills[hue[name]] if name else colour["load"], "lw": 0}
        alpha = 0.82 if name else 0.45
        shown = None if label in labelled else label
        labelled.add(label)
        axis.fill_between(times, lower, upper, alpha=alpha, label=shown, **style)

    stack = Stack(day.kw, day.load_kw)
    for layer in stack.layers():
        fill(layer.name, layer.lower, layer.upper)
    # A type without power has its name in the legend, too.
    for name in [name for name in day.kw if name not in labelled]:
        fill(name, np.zeros(len(times)), np.zeros(len(times)))
    axis.axhline(0.0, color=colour["soft"], linewidth=0.8)
    if stack.net_kw is not None:
        axis.plot(times, stack.net_kw, color=colour["text"], linewidth=1.4, label=NET)
    axis.set_ylabel("kW; above zero: feeds the site", color=colour["soft"], fontsize=9)
    _, high = axis.get_ylim()
    for event in day.events:
        axis.annotate(
            event.name,
            (_moment(event.start_ms), high),
            xytext=(3, -3),
            textcoords="offset points",
            color=colour["text"],
            fontsize=8,
            va="top",
            annotation_clip=True,
        )


def _charge(day: Day, axis: Any, times: list[datetime], colour: dict[str, str]) -> None:
    fills, hue = {**HUES, "blue": colour["blue"]}, hues(day.kw)
    for name, soc in day.soc.items():
        axis.plot(times, soc, color=fills[hue[name]], linewidth=1.6)
    axis.set_ylim(0, 100)
    axis.set_ylabel(SOC.partition(",")[0].replace(" in ", ", "), color=colour["soft"], fontsize=9)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
