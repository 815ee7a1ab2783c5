"""The picture as SVG, which needs no extra."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from importlib.resources import files

from gridsim.helpers.colours import hues
from gridsim.plot.day import Day
from gridsim.plot.words import LOAD, NET, POWER, SOC, note, title
from gridsim.report.stack import LOAD_STYLE, Stack
from gridsim.report.svg import WIDTH, Chart

_POWER, _SOC, _HEAD, _GAP = 380, 170, 76, 30
_LETTER = 6.4
"""The mean width of a letter in the size of the key."""


def svg(day: Day, theme: str) -> str:
    """Return the whole document. `theme` is "light" or "dark"."""
    parts = [
        f'<text x="16" y="24" class="title">{escape(title(day))}</text>',
        f'<text x="16" y="42" class="small">{escape(POWER)}</text>',
        *_key(day),
        _at(_HEAD, _POWER, _power(day)),
    ]
    height = _HEAD + _POWER
    if day.soc:
        parts.append(f'<text x="16" y="{height + 18}" class="small">{escape(SOC)}</text>')
        parts.append(_at(height + _GAP - 12, _SOC, _charge(day)))
        height += _GAP + _SOC
    parts.append(f'<text x="16" y="{height + 10}" class="small">{escape(note(day))}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + 24}" '
        f'width="{WIDTH}" height="{height + 24}" font-family="system-ui, sans-serif">'
        f"<style>{_style(theme)}</style>"
        f'<rect class="back" width="100%" height="100%"/>{"".join(parts)}</svg>\n'
    )


def _power(day: Day) -> str:
    time_ms, hue = day.time_ms, hues(day.kw)
    stack = Stack(day.kw, day.load_kw)
    chart = Chart(day.start_ms, day.end_ms, *stack.extent, day.timezone, height=_POWER)
    for event in day.events:
        chart.band(event.start_ms, event.end_ms, event.name)
    for layer in stack.layers():
        style = hue[layer.name] if layer.name else LOAD_STYLE
        chart.area(time_ms, layer.lower, layer.upper, style)
    if stack.net_kw is not None:
        chart.line(time_ms, stack.net_kw, "net")
    return chart.svg("Power by type, load and net consumption over time")


def _charge(day: Day) -> str:
    hue = hues(day.kw)
    chart = Chart(day.start_ms, day.end_ms, 0.0, 100.0, day.timezone, height=_SOC)
    for event in day.events:
        chart.band(event.start_ms, event.end_ms, "")
    for name, soc in day.soc.items():
        chart.line(day.time_ms, soc, f"soc-{hue[name]}")
    return chart.svg("State of charge over time").replace(">+", ">")


def _key(day: Day) -> Iterator[str]:
    """Yield the names of the areas and lines, each with a sample."""
    hue, x = hues(day.kw), 16.0
    entries = [(name, f'class="{hue[name]}"') for name in day.kw]
    if day.load_kw is not None:
        entries += [(LOAD, f'class="{LOAD_STYLE}"'), (NET, 'class="key-net"')]
    for name, style in entries:
        thin = "key-" in style
        height, y = (2, 59) if thin else (10, 55)
        yield f'<rect {style} x="{x:.0f}" y="{y}" width="14" height="{height}"/>'
        yield f'<text class="small" x="{x + 20:.0f}" y="64">{escape(name)}</text>'
        x += 20 + _LETTER * len(name) + 18


def _at(y: int, height: int, picture: str) -> str:
    """Return a picture at its place in the document."""
    return picture.replace("<svg ", f'<svg y="{y}" width="{WIDTH}" height="{height}" ', 1)


def _style(theme: str) -> str:
    """Return the style of the page of reports, with the colours of one theme put in."""
    sheet = files("gridsim.report").joinpath("style.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)
    colours: dict[str, str] = {}
    for block in blocks if theme == "dark" else blocks[:1]:
        colours.update(re.findall(r"--([\w-]+): (#\w+)", block))
    rules = re.findall(
        r"^\.(?:grid|axis|name|band|line|net|load-area|orange|purple|vermillion|yellow|area)\b.*$",
        sheet,
        re.MULTILINE,
    )
    names = ("orange", "green", "purple", "sky", "vermillion", "blue", "yellow")
    own = [
        ".back{fill:var(--back)} .title{fill:var(--text);font-size:15px;font-weight:600}",
        ".small{fill:var(--soft);font-size:12px}",
        ".key-net{fill:var(--text)}",
        *(f".soc-{name}{{stroke:var(--{name})}}" for name in names),
    ]
    text = "\n".join([*rules, *own])
    return re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], text)
