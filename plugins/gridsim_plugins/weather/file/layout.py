"""The place and the time zone that the lines before a table state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gridsim.helpers.tables import parse_number
from gridsim.helpers.tables.dialect import fields_of, normal

_PAIR = re.compile(r"\s*#?\s*([^:=]{3,60}?)\s*[:=]\s*(-?[0-9]+(?:[.,][0-9]+)?)\s*")


@dataclass(frozen=True, slots=True)
class StationPlace:
    """The place of a station; None where the file does not state it."""

    latitude: float | None = None
    longitude: float | None = None
    offset_s: float | None = None
    """The offset of the file's times from UTC."""


def place_of(preamble: Sequence[str], delimiter: str) -> StationPlace:
    """Return the place that is stated before a table: `Latitude: 45.9`, or names above values."""
    stated: dict[str, float] = {}
    for name, text in (*_pairs(preamble), *_columns(preamble, delimiter)):
        value = parse_number(text.replace(",", "."))
        if value == value:
            stated.setdefault(name, value)
    offset = stated.get("utc offset seconds")
    if offset is None and "time zone" in stated:
        offset = stated["time zone"] * 3600.0
    return StationPlace(stated.get("latitude"), stated.get("longitude"), offset)


def _pairs(preamble: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in preamble:
        if (match := _PAIR.fullmatch(line)) is not None:
            yield normal(match[1].partition("(")[0]), match[2]


def _columns(preamble: Sequence[str], delimiter: str) -> Iterator[tuple[str, str]]:
    for above, below in pairwise(preamble):
        names = [normal(name) for name in fields_of(above, delimiter)]
        if "latitude" in names and "longitude" in names:
            yield from zip(names, fields_of(below, delimiter), strict=False)
