"""The power by type with its recent past, the load, the net consumption and the storage."""

from __future__ import annotations

import numpy as np
from rich.text import Text

from gridsim.api import Floats
from gridsim_plugins.views.terminal import words
from gridsim_plugins.views.terminal.scene import Scene, end_of, spaced
from gridsim_plugins.views.terminal.sparkline import columns_of, histogram, sparkline
from gridsim_plugins.views.terminal.theme import QUIET, STRONG

_NAME = 20
_NUMBER = 10
_BINS = 10


def power(scene: Scene, width: int) -> list[Text]:
    """Return a line for each type, for the load and the net consumption, and for the storage."""
    snapshot, history = scene.snapshot, scene.history
    kinds = [*snapshot.kw]
    names = [words.clean(name) for name in kinds]
    name = scene.widths.of("type", [*names, "load"], 8, _NAME)
    values = [*snapshot.kw.values(), snapshot.load_kw, snapshot.net_kw]
    number = scene.widths.of("kw", [words.power(kw) for kw in values], _NUMBER)
    chart = width - name - number - 5
    past = np.sum(list(history.kw.values()), axis=0) if history.kw else 0.0
    rows = [
        (scene.glyphs.mark, kind, snapshot.kw[kind], history.kw.get(kind), scene.colours[kind])
        for kind in kinds
    ]
    rows.append((" ", "load", snapshot.load_kw, history.load_kw, QUIET))
    rows.append((" ", "net", snapshot.net_kw, history.load_kw - past, STRONG))
    title = Text("Power, kW", STRONG)
    lines = [spaced(title, Text(_span(scene, chart), QUIET), width, scene.glyphs.rule)]
    for mark, kind, kw, series, style in rows:
        line = Text(no_wrap=True)
        line.append(f"{mark} ", style)
        text_style = STRONG if kind == "net" else ""
        line.append(f"{scene.cut(kind, name)} {words.power(kw):>{number}}  ", text_style)
        if series is not None and chart > 0:
            bars = sparkline(_columns(scene, series, chart), scene.glyphs, style)
            line.append(" " * (chart - bars.cell_len))
            line.append_text(bars)
        lines.append(end_of(line, width))
    return [*lines, *_storage(scene, width)]


def _columns(scene: Scene, series: Floats, width: int) -> Floats:
    times = scene.history.time_ms
    if len(times) < 2:
        return series[-width:]
    step_ms = max(int(times[1] - times[0]), 1)
    return columns_of(series, int((times[0] - scene.status.start_ms) // step_ms), width)


def _span(scene: Scene, width: int) -> str:
    """Return the simulated time that the sparklines cover."""
    times = scene.history.time_ms
    if len(times) < 2 or width < 16:
        return ""
    spanned_s = (times[-1] - times[0]) / 1000
    # Without seconds, which would only flicker.
    return f"last {words.duration(spanned_s)}".removesuffix(" 00 s")


def _storage(scene: Scene, width: int) -> list[Text]:
    """Return the spread of the states of charge, if there is storage."""
    soc = scene.snapshot.devices.soc
    soc = soc[~np.isnan(soc)]
    if not len(soc):
        return []
    low, middle, high = (float(np.quantile(soc, share)) for share in (0.0, 0.5, 1.0))
    line = Text.assemble(("State of charge, %", STRONG), no_wrap=True)
    line.append(f"   min {low:5.1f}   median {middle:5.1f}   max {high:5.1f}")
    if width - line.cell_len >= _BINS + 11:
        line.append("   0 ", QUIET)
        line.append_text(histogram(soc, 0.0, 100.0, _BINS, scene.glyphs))
        line.append(" 100", QUIET)
    return [end_of(line, width)]
