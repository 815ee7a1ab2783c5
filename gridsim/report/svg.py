"""Charts over time as SVG: areas, lines, bands and axes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.ledger.columns import Ints

WIDTH = 960
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 22, 22
_HOURS_S = (1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_STRIP = 720
_TICKS = 8
_DOT = 4.0
"""The width of a value without neighbours, which is a run of one tick at least."""
_NAME = 40
"""The largest number of characters of a name that are shown."""


class Chart:
    """A picture with time to the right; marks are added from the back to the front."""

    def __init__(
        self,
        start_ms: int,
        end_ms: int,
        low: float,
        high: float,
        timezone: str,
        height: int = 260,
        *,
        signed: bool = True,
    ) -> None:
        """Take the times, UTC, and the values to show; zero is always included.

        With `signed`, values on the axis have their sign.
        """
        self._signed = signed
        self._start_ms, self._end_ms = start_ms, max(end_ms, start_ms + 1)
        low, high = min(low, 0.0), max(high, 0.0)
        margin = 0.05 * ((high - low) or 1.0)
        self._low = low - margin if low < 0 else 0.0
        self._high = high + margin
        self._zone = ZoneInfo(timezone)
        self._height = height
        self._marks: list[str] = []
        self._names: list[float] = []
        """The right end of the last name in each row."""

    def band(self, start_ms: int, end_ms: int, name: str) -> None:
        """Add a shaded interval with its name above it."""
        left, right = self._x(start_ms), self._x(end_ms)
        self._add(
            f'<rect class="band" x="{left:.1f}" y="{_TOP}" width="{max(right - left, 1):.1f}" '
            f'height="{self._height - _TOP - _BOTTOM}"><title>{escape(name)}</title></rect>'
        )
        shown = name if len(name) <= _NAME else name[: _NAME - 1] + "…"
        # A name that would overlap another one is placed below it.
        row = next((row for row, end in enumerate(self._names) if end <= left), len(self._names))
        self._names[row : row + 1] = [left + 8 + 6.5 * len(shown)]
        y = _TOP - 6 + 13 * row
        self._add(f'<text class="name" x="{left + 3:.1f}" y="{y}">{escape(shown)}</text>')

    def area(self, time_ms: Ints, lower: Floats, upper: Floats, style: str) -> None:
        """Add the area between two lines; `style` is a CSS class."""
        for part in _unbroken(lower + upper):
            x, above, below = self._xs(time_ms[part]), self._ys(upper[part]), self._ys(lower[part])
            if len(x) == 1:
                x, above, below = x + np.array([0.0, _DOT]), above.repeat(2), below.repeat(2)
            there = _path(x, above)
            back = _path(x[::-1], below[::-1])
            self._add(f'<path class="area {style}" d="M{there}L{back}Z"/>')

    def line(self, time_ms: Ints, values: Floats, style: str) -> None:
        """Add a line; it is broken where there is no value."""
        for part in _unbroken(values):
            path = _path(self._xs(time_ms[part]), self._ys(values[part]))
            dot = f"h{_DOT:g}" if part.stop - part.start == 1 else ""
            self._add(f'<path class="line {style}" d="M{path}{dot}"/>')

    def steps(self, time_ms: Ints, values: Floats, step_ms: int, style: str) -> None:
        """Add a line that keeps each value for `step_ms`."""
        time = np.repeat(time_ms, 2)
        time[1::2] += step_ms
        self.line(time, np.repeat(values, 2), style)

    def svg(self, label: str) -> str:
        """Return the picture; `label` describes it for people who do not see it."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {self._height}" role="img" aria-label="{escape(label)}">'
            f"{''.join(self._axes())}{''.join(self._marks)}</svg>"
        )

    def _axes(self) -> Iterator[str]:
        for value in ticks(self._low, self._high):
            y = self._ys(np.array([value]))[0]
            zero = " zero" if value == 0 else ""
            yield f'<path class="grid{zero}" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>'
            text = _number(value) if self._signed else f"{value:,g}"
            yield f'<text class="axis value" x="{_LEFT - 6}" y="{y + 4:.1f}">{text}</text>'
        bottom = self._height - _BOTTOM
        for time_ms, text in time_ticks(self._start_ms, self._end_ms, self._zone):
            x = self._x(time_ms)
            yield f'<path class="grid" d="M{x:.1f} {bottom}v4"/>'
            # A text at the edge must not leave the picture.
            x = min(x, WIDTH - 4.0 * len(text))
            yield f'<text class="axis time" x="{x:.1f}" y="{bottom + 16}">{text}</text>'

    def _add(self, mark: str) -> None:
        self._marks.append(mark)

    def _x(self, time_ms: int) -> float:
        return float(self._xs(np.array([time_ms]))[0])

    def _xs(self, time_ms: Ints) -> Floats:
        share = (time_ms - self._start_ms) / (self._end_ms - self._start_ms)
        return _LEFT + np.clip(share, 0.0, 1.0) * (WIDTH - _LEFT - _RIGHT)

    def _ys(self, values: Floats) -> Floats:
        share = (values - self._low) / (self._high - self._low)
        return self._height - _BOTTOM - share * (self._height - _TOP - _BOTTOM)


def strip(shares: Floats, style: str, label: str) -> str:
    """Return a low picture: for each interval a bar whose opacity is its share, 0 to 1."""
    width = _STRIP / max(len(shares), 1)
    bars = "".join(
        f'<rect class="{style}" x="{start * width:.1f}" y="1" '
        f'width="{max((end - start) * width, 1.0):.1f}" height="12" opacity="{value:.2f}"/>'
        for start, end, value in _runs(np.round(shares, 2))
        if value
    )
    frame = f'<rect class="frame" x="0" y="1" width="{_STRIP}" height="12"/>'
    return (
        f'<svg class="strip" viewBox="0 0 {_STRIP} 14" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">'
        f"{frame}{bars}</svg>"
    )


def ticks(low: float, high: float) -> list[float]:
    """Return about five round values in a range."""
    rough = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(number * step, 10) for number in range(first, last + 1)]


def time_ticks(start_ms: int, end_ms: int, zone: ZoneInfo) -> Iterator[tuple[int, str]]:
    """Yield round times of a clock, UTC ms, with their texts; the first of a day has the date."""
    span_s = (end_ms - start_ms) / 1000
    step_s = next(
        (s for s in _HOURS_S if span_s / s <= _TICKS), 86400 * math.ceil(span_s / 86400 / _TICKS)
    )
    offset = datetime.fromtimestamp(start_ms / 1000, UTC).astimezone(zone).utcoffset()
    shift_ms = 0 if offset is None else int(offset.total_seconds() * 1000)
    step_ms = step_s * 1000
    time_ms = -(-(start_ms + shift_ms) // step_ms) * step_ms - shift_ms
    day = None
    while time_ms <= end_ms:
        local = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone)
        clock = f"{local:%H:%M:%S}" if step_s < 60 else f"{local:%H:%M}"
        text = f"{local:%d %b}" if step_s >= 86400 else clock
        if local.date() != day and step_s < 86400:
            text = f"{local:%d %b} {clock}"
        day = local.date()
        yield time_ms, text
        time_ms += step_ms


def _number(value: float) -> str:
    """Return a power for an axis, with its sign."""
    return f"{value:+,g}" if value else "0"


def _path(x: Floats, y: Floats) -> str:
    return "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def _unbroken(values: Floats) -> Iterator[slice]:
    """Yield the intervals without NaN."""
    for start, end, there in _runs((~np.isnan(values)).astype(float)):
        if there:
            yield slice(start, end)


def _runs(values: NDArray[np.float64]) -> Iterator[tuple[int, int, float]]:
    """Yield the runs of equal values: start, end, value."""
    if not len(values):
        return
    starts: Sequence[int] = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist()]
    for start, end in zip(starts, [*starts[1:], len(values)], strict=True):
        yield start, end, float(values[start])
