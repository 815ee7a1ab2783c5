"""A small writer of log-log plots as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 640, 400, 70, 40, 20, 50
_COLOURS = ("#1f6fb2", "#c2571a", "#3a7d44")


@dataclass(frozen=True, slots=True)
class PlotSeries:
    name: str
    x: Sequence[float]
    y: Sequence[float]


def loglog(title: str, x_name: str, series: Sequence[PlotSeries]) -> str:
    """Return the plot, with grid lines at powers of ten and a dashed line for linear growth."""
    left, right = _decades([x for one in series for x in one.x])
    low, high = _decades([y for one in series for y in one.y])

    def x_at(x: float) -> float:
        return _LEFT + (math.log10(x) - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT)

    def y_at(y: float) -> float:
        return _HEIGHT - _BOTTOM - (math.log10(y) - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_WIDTH / 2, 22, title, "middle", size=15),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, x_name, "middle"),
    ]
    for power in range(left, right + 1):
        at = x_at(10**power)
        parts.append(_line(at, _TOP, at, _HEIGHT - _BOTTOM, "#ddd"))
        parts.append(_text(at, _HEIGHT - _BOTTOM + 16, f"{10**power:,}", "middle"))
    for power in range(low, high + 1):
        at = y_at(10**power)
        parts.append(_line(_LEFT, at, _WIDTH - _RIGHT, at, "#ddd"))
        parts.append(_text(_LEFT - 8, at + 4, f"{10.0**power:,g}", "end"))
    for index, (one, colour) in enumerate(zip(series, _COLOURS, strict=False)):
        points = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in zip(one.x, one.y, strict=True))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        for x, y in zip(one.x, one.y, strict=True):
            parts.append(f'<circle cx="{x_at(x):.1f}" cy="{y_at(y):.1f}" r="3.5" fill="{colour}"/>')
        # Linear growth, drawn back from the largest value: a line above it shows a fixed cost.
        start = max(10.0**low, one.y[-1] * one.x[0] / one.x[-1])
        from_x = one.x[-1] * start / one.y[-1]
        parts.append(
            _line(x_at(from_x), y_at(start), x_at(one.x[-1]), y_at(one.y[-1]), colour, dashed=True)
        )
        parts.append(_text(_LEFT + 14, _TOP + 18 + 18 * index, one.name, "start", fill=colour))
    last = _TOP + 18 + 18 * len(series)
    parts.append(_text(_LEFT + 14, last, "dashed: linear", "start", fill="#666"))
    return "\n".join([*parts, "</svg>", ""])


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dash}/>'
    )


def _text(x: float, y: float, text: str, anchor: str, *, size: int = 12, fill: str = "#222") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}">'
        f"{escape(text)}</text>"
    )
