"""The picture as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from rich.text import Text

from gridsim.api import Floats
from gridsim.helpers.colours import HUES, hues
from gridsim.plot.day import Day
from gridsim.plot.words import LOAD, NET, note, title

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_FROM_TOP = " ▀█"
_NAME, _RANGE = 18, 20
_NET_ROWS, _ROWS = 8, 3


def lines(day: Day, width: int, unicode: bool = True) -> Iterator[Text]:
    """Yield the lines of the picture, cut to the width; without `unicode` in ASCII."""
    for line in _whole_lines(day, width, unicode):
        line.truncate(width)
        yield line


def _whole_lines(day: Day, width: int, unicode: bool) -> Iterator[Text]:
    columns = max(width - _NAME - _RANGE, 20)
    hue = hues(day.kw)
    yield Text(title(day), style="bold")
    yield Text(note(day), style="dim")
    yield Text()
    if day.load_kw is not None and day.net_kw is not None:
        yield from _bars(NET, day.net_kw, columns, _NET_ROWS, "", unicode, "kW")
        yield from _bars(LOAD, day.load_kw, columns, _ROWS, "dim", unicode, "kW")
    for name, kw in day.kw.items():
        yield from _bars(name, kw, columns, _ROWS, HUES[hue[name]], unicode, "kW")
    for name, soc in day.soc.items():
        yield from _bars(f"{name} SoC", soc, columns, 2, HUES[hue[name]], unicode, "%", top=100.0)
    for event in day.events[:8]:
        yield _event(event.name, event.start_ms, event.end_ms, day, columns, unicode)
    yield _clock(day, columns)


def _bars(
    name: str,
    values: Floats,
    columns: int,
    rows: int,
    style: str,
    unicode: bool,
    unit: str,
    top: float | None = None,
) -> Iterator[Text]:
    """Yield the lines of one series: bars from its zero line, with its range to the right."""
    shown = _resampled(values, columns)
    known = np.nan_to_num(shown)
    low, high = min(0.0, float(known.min())), max(0.0, float(known.max()))
    high = high if top is None else top
    span = (high - low) or 1.0
    up = 0 if high == 0.0 else max(1, round(rows * high / span))
    down = 0 if low == 0.0 else max(1, rows - up)
    up = max(up, 1 if not down else 0)
    # One scale for both sides, so that their heights are comparable.
    per_row = max(high / up if up else 0.0, -low / down if down else 0.0) or 1.0
    peak = float(np.nanmax(values)) if len(values) else 0.0
    least = float(np.nanmin(values)) if len(values) else 0.0
    sign = "+" if unit == "kW" else ""
    ranges = {0: f"{peak:{sign}.1f} {unit}", up + down - 1: f"{least:{sign}.1f} {unit}"}
    if up + down == 1:
        ranges = {0: f"{least:{sign}.1f}..{peak:{sign}.1f} {unit}"}
    for row in range(up + down):
        cells = "".join(
            _up(value / per_row - (up - 1 - row), unicode)
            if row < up
            else _down(-value / per_row - (row - up), unicode)
            for value in known.tolist()
        )
        text = Text((name if row == 0 else "")[: _NAME - 1].ljust(_NAME))
        text.append(cells, style=style)
        text.append(f"  {ranges.get(row, '')}", style="dim")
        text.rstrip()
        yield text


def _up(filled: float, unicode: bool) -> str:
    """Return a cell that is filled by this share, from below."""
    eighths = round(8 * min(max(filled, 0.0), 1.0))
    if not unicode:
        return " .:-=+*##"[eighths]
    return _EIGHTHS[eighths]


def _down(filled: float, unicode: bool) -> str:
    """Return a cell that is filled by this share, from above."""
    halves = round(2 * min(max(filled, 0.0), 1.0))
    return _FROM_TOP[halves] if unicode else " '#"[halves]


def _resampled(values: Floats, columns: int) -> Floats:
    """Return the mean in each column; NaN where there is no value."""
    edges = np.linspace(0, len(values), columns + 1).astype(int)
    means = np.full(columns, np.nan)
    for place, (start, end) in enumerate(pairwise(edges.tolist())):
        part = values[start : max(end, start + 1)]
        part = part[~np.isnan(part)]
        if len(part):
            means[place] = part.mean()
    return means


def _event(name: str, start_ms: int, end_ms: int, day: Day, columns: int, unicode: bool) -> Text:
    share = columns / (day.end_ms - day.start_ms)
    start = min(int((start_ms - day.start_ms) * share), columns - 1)
    end = min(max(int((end_ms - day.start_ms) * share), start + 1), columns)
    text = Text("event".ljust(_NAME) + " " * start)
    text.append(("▔" if unicode else "=") * (end - start), style="bold")
    text.append(f" {name}")
    return text


def _clock(day: Day, columns: int) -> Text:
    """Return the axis: the local time at every eighth of the width or so."""
    zone, cells = ZoneInfo(day.timezone), [" "] * columns
    every = max(columns // 6, 12)
    for place in range(0, columns - 4, every):
        ms = day.start_ms + (day.end_ms - day.start_ms) * place // columns
        moment = datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone)
        long = day.end_ms - day.start_ms > 2 * 86_400_000
        text = f"{moment:%d %b %H:%M}" if long and place + 12 <= columns else f"{moment:%H:%M}"
        cells[place : place + len(text)] = text
    return Text(" " * _NAME + "".join(cells).rstrip(), style="dim")
