"""The static attributes of DERs, such as make and serial: templates, filled for each device."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gridsim.config.settings.validation import Findings
from gridsim.config.tables.identifiers import MAX_BYTES, check_visible, too_long
from gridsim.config.tables.naming import Names
from gridsim.config.tables.projects import DerTableSettings
from gridsim.config.text.locate import KeyPath
from gridsim.contracts.batch import ATTRIBUTES

Rows = NDArray[np.intp]

_PART = re.compile(r"\{(?P<name>n|project_id|der_id)(?::0(?P<width>\d{1,2}))?\}|(?P<other>[{}])")


def check_attribute(text: str) -> None:
    """Raise ValueError if the template of an attribute is invalid."""
    for part in _PART.finditer(text):
        misplaced = part["width"] and part["name"] != "n"
        if part["other"] or misplaced or int(part["width"] or 1) == 0:
            raise ValueError("may hold {n}, {n:05}, {der_id} and {project_id}, and no other braces")
    check_visible(text)
    if not text or text != text.strip():
        raise ValueError("must not be empty, and must not begin or end with a space")


def attributes_of(
    findings: Findings,
    stanzas: Sequence[tuple[KeyPath, DerTableSettings, Rows]],
    names: Names,
    project: Rows,
) -> Mapping[str, Sequence[str]]:
    """Return the attributes that a stanza sets, with a text for each device; "": it has none.

    `stanzas` have their devices, and `project` the index of the project of each device. A text
    that is too long is added to `findings`.
    """
    found: dict[str, list[str]] = {}
    for path, settings, rows in stanzas:
        for name in ATTRIBUTES:
            text = getattr(settings, name)
            if text is None:
                continue
            column = found.setdefault(name, [""] * len(project))
            form = _PART.sub(_printf, text.replace("%", "%%"))
            count = settings.count
            for place, row in enumerate(rows.tolist()):
                column[row] = form % {
                    "n": place % count + 1,
                    "der_id": names.ders[row],
                    "project_id": names.projects[project[row]],
                }
            longest = max((column[row] for row in rows.tolist()), key=len)
            if too_long(longest):
                findings.add((*path, name), f"{longest[:20]!r}... is longer than {MAX_BYTES} bytes")
    return {name: found[name] for name in ATTRIBUTES if name in found}


def _printf(part: re.Match[str]) -> str:
    if part["name"] != "n":
        return f"%({part['name']})s"
    return f"%(n)0{part['width']}d" if part["width"] else "%(n)d"
