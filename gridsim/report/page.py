"""The parts of the page: sections, tables and downloads, as HTML."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

from gridsim.helpers.timestamps import rfc3339


@dataclass(frozen=True, slots=True)
class Download:
    """The table of a picture's values, to be saved as CSV."""

    name: str
    """The file's name."""
    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]

    def html(self) -> str:
        """Return a link that contains the whole table."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([_cell(value) for value in row] for row in self.rows)
        data = base64.b64encode(text.getvalue().encode()).decode()
        name = escape(self.name)
        return f'<a download="{name}" href="data:text/csv;base64,{data}">{name}</a>'


def document(title: str, body: Iterable[str]) -> str:
    """Return the whole page. It has no script and loads nothing."""
    style = files("gridsim.report").joinpath("style.css").read_text(encoding="utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>\n{style}</style></head><body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def figure(picture: str, caption: str, download: Download, key: str = "") -> str:
    """Return a picture with its key, caption and table."""
    return (
        f'<figure>{key}<div class="wide">{picture}</div>'
        f"<figcaption>{escape(caption)} Table: {download.html()}"
        "</figcaption></figure>"
    )


def strips_of(rows: Iterable[tuple[str, str, str]], *, below: bool = False) -> str:
    """Return strips, one below the other, each with a name, a note and a picture.

    With `below`, they have the length of the chart above them.
    """
    return (
        f'<div class="strips{" below" if below else ""}">'
        + "".join(
            f"<div><b>{escape(name)}</b> <span>{escape(note)}</span></div>{picture}"
            for name, note, picture in rows
        )
        + "</div>"
    )


def key(entries: Sequence[tuple[str, str]]) -> str:
    """Return the explanation of areas and lines: pairs of CSS class and name.

    A class that begins with "line " stands for a line.
    """
    items = "".join(f"<li>{_sample(style)}{escape(name)}</li>" for style, name in entries)
    return f'<ul class="key">{items}</ul>'


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Sequence[int] = (),
    times: Sequence[int] = (),
) -> str:
    """Return a table of texts; the columns `numbers` are right-aligned, `times` are not wrapped."""
    styles = {**dict.fromkeys(numbers, " class=n"), **dict.fromkeys(times, " class=t")}

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{styles.get(place, '')}>{escape(text)}</{tag}>"
            for place, text in enumerate(row)
        )

    lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{cells("th", head)}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def paragraph(text: str, style: str = "") -> str:
    return f"<p{f' class={style}' if style else ''}>{escape(text)}</p>"


def times(values: Iterable[int]) -> list[str]:
    """Return the texts of times, UTC ms."""
    return [rfc3339(value) for value in values]


def clock(timezone: str) -> str:
    """Return the clock of a picture in words."""
    return f"times of {timezone}" if timezone != "UTC" else "times in UTC"


def length(step_ms: int) -> str:
    """Return the length of an interval in words."""
    seconds = step_ms / 1000
    return f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min"


def plain(name: str) -> str:
    """Return a name for a file."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name)[:60]


def _sample(style: str) -> str:
    if style.startswith("line "):
        name = style.removeprefix("line ")
        return (
            '<svg viewBox="0 0 16 10" width="16" height="10" style="display:inline;width:16px;'
            f'margin-right:6px"><path class="line {name}" d="M0 5L16 5"/></svg>'
        )
    return f'<span class="{style}"></span>'


def _cell(value: Any) -> Any:
    """Return a value for CSV; a text that a spreadsheet would take for a formula is quoted."""
    if isinstance(value, float):
        return "" if value != value else f"{value:.4f}".rstrip("0").rstrip(".")
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
