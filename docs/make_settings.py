"""Writes docs/settings.md: the tables of the configuration and the settings of every plugin.

    python docs/make_settings.py

`gridsim plugins NAME` shows the same settings.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import BaseModel

from gridsim.api import MEASURANDS
from gridsim.config.tables.core import TABLES
from gridsim.plugins.kinds import KINDS
from gridsim.plugins.listing import setting_rows
from gridsim.plugins.registry import RegisteredPlugin
from gridsim.running.plan import find_plugins

PAGE = Path(__file__).with_name("settings.md")
HEAD = """# Settings

The tables of the configuration and the plugins that come with gridsim, with every setting.
`gridsim plugins NAME` shows the settings of one of them, also of your own plugins.
`python docs/make_settings.py` writes this page.

A setting without a default is `required`; `none` means that it is unset.
"""
HEADINGS = {"der": "DER types", "weather": "Weather"}


def page() -> str:
    """Return the whole page."""
    parts = [HEAD, "## Tables\n"]
    for path in sorted(TABLES):
        table = TABLES[path]
        parts += [f"### [{path}]\n", f"{_sentence(table.description)}\n", *_table(table.settings)]
    entries = [entry for entry in find_plugins(None, ()) if entry.owner.startswith("gridsim-der ")]
    for kind in KINDS.values():
        members = [entry for entry in entries if entry.kind == kind.name]
        if not members:
            continue
        parts.append(f"## {HEADINGS.get(kind.name, f'{kind.name.capitalize()}s')}\n")
        parts.append(f"{_sentence(kind.description)}\n")
        for entry in sorted(members, key=lambda entry: entry.name):
            parts += _plugin(entry)
    return "\n".join(parts)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _plugin(entry: RegisteredPlugin) -> Iterator[str]:
    """Yield the section of a plugin: its text and the settings that are its own."""
    yield f"### {entry.name} ({entry.kind})\n"
    text = inspect.cleandoc(entry.type.__doc__ or "")
    if text:
        yield f"{text}\n"
    table = TABLES.get(KINDS[entry.kind].table or "")
    shared = set(table.settings.model_fields) if table else set()
    yield from _table(entry.type.Settings, leave_out=shared)


def _table(model: type[BaseModel], leave_out: Collection[str] = ()) -> Iterator[str]:
    """Yield the settings as a table of Markdown."""
    rows = [row for row in setting_rows(model) if row[0] not in leave_out]
    if not rows:
        yield "It has no settings.\n"
        return
    yield "| setting | type | default | unit | meaning |\n| --- | --- | --- | --- | --- |"
    for name, kind, default, unit, meaning in rows:
        cells = (f"`{name}`", f"`{kind}`", f"`{default}`", unit, meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


MEASURANDS_PAGE = Path(__file__).with_name("measurands.md")


def measurands_page(text: str) -> str:
    """Return the page of measurands with its table of columns, which begins at the first row."""
    head, _, rest = text.partition("| column |")
    _, _, tail = rest.partition("\n\n")
    rows = ["| column | unit | decimals | meaning |", "| --- | --- | --- | --- |"]
    rows += [
        f"| `{one.name}` | {one.unit} | {one.decimals} | {one.description} |"
        for one in MEASURANDS.values()
    ]
    return "{}{}\n\n{}".format(head, "\n".join(rows), tail)


if __name__ == "__main__":
    PAGE.write_text(page())
    MEASURANDS_PAGE.write_text(measurands_page(MEASURANDS_PAGE.read_text()))
