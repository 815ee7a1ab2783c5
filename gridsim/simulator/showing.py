"""The text and the HTML of tables, for a prompt and a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from gridsim.simulator.column import TableColumn, moment
from gridsim.text.words import counted

_SHOWN = 5
"""The number of rows shown from the start, and from the end, of a long table."""
_LONGEST_CELL = 80


def table_text(kind: str, columns: Sequence[TableColumn], zone: ZoneInfo) -> str:
    """Return the kind of a table, its columns and its size in a few lines."""
    rows = len(columns[0])
    lines = [f"{kind}: {counted(rows, 'row')} in {counted(len(columns), 'column')}"]
    time = next((column for column in columns if column.kind == "time"), None)
    if time is not None and rows:
        plain = time.plain()
        first, last = (moment(int(end), zone) for end in (plain.min(), plain.max()))
        lines.append(f"  {first} to {last} ({zone.key})")
    named = [f"{one.name} ({one.unit})" if one.unit else one.name for one in columns]
    lines.append(f"  {', '.join(named)}")
    return "\n".join(lines)


def table_html(kind: str, columns: Sequence[TableColumn], zone: ZoneInfo) -> str:
    """Return the first and last rows of a table as HTML, escaped."""
    rows = len(columns[0])
    parts = [slice(0, rows)]
    if rows > 2 * _SHOWN:
        parts = [slice(0, _SHOWN), slice(rows - _SHOWN, rows)]
    heads = [
        escape(one.name) + (f"<br><small>{escape(one.unit)}</small>" if one.unit else "")
        for one in columns
    ]
    bodies = []
    for part in parts:
        cells = [[_cell(value) for value in one.objects(zone, part)] for one in columns]
        bodies.append("".join(_row("td", row) for row in zip(*cells, strict=True)))
    gap = _row("td", ["..."] * len(columns))
    caption = f"{kind}: {counted(rows, 'row')}"
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead>{_row('th', heads)}</thead><tbody>{gap.join(bodies)}</tbody></table>"
    )


def pairs_html(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows of values as HTML, escaped."""
    body = "".join(_row("td", [_cell(value) for value in row]) for row in rows)
    head = _row("th", [escape(one) for one in heads])
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead>{head}</thead><tbody>{body}</tbody></table>"
    )


def _row(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    return escape(text if len(text) <= _LONGEST_CELL else text[:_LONGEST_CELL] + "...")
