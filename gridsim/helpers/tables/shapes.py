"""The formats of times: a pattern for each, and the conversion of texts of one format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Letters = NDArray[np.uint8] | NDArray[np.uint32]
Order = Literal["dmy", "mdy"]
"""The order in `1/2/2026`: day first or month first."""

NO_TIME: Final = -(2**63)
"""Marks a time that cannot be read."""
_DAY_MS = 86_400_000
# Epoch numbers are recognised from 1990 to 2200.
_EARLIEST_S, _LATEST_S = 631_152_000, 7_258_118_400
_PER_S: Final = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
# Only the zone abbreviations with a single meaning.
_ABBREVIATED: Final = {
    "z": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 60, "cet": 60, "mez": 60, "cest": 120,
    "mesz": 120, "eet": 120, "eest": 180,
}  # fmt: skip
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar", "feb february februar", "mar march mrz märz", "apr april",
            "may mai", "jun june juni", "jul july juli", "aug august", "sep sept september",
            "oct october okt oktober", "nov november", "dec december dez dezember",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_DATE = r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})"

_CLOCK = (
    r"(?P<h>[0-9]{1,2}):(?P<mi>[0-9]{2})(?::(?P<s>[0-9]{2})(?:[.,](?P<f>[0-9]{1,12}))?)?"
    r"(?:\s?(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_ZONE = (
    r"\s?(?:(?P<zone>[A-Za-z]{1,4})|(?:(?:UTC|GMT)?(?P<sign>[+\-\u2212])(?P<oh>[0-9]{2})"
    r"(?::?(?P<om>[0-9]{2}))?))?(?:\[[\w/+-]+\])?"
)
_AFTER_DATE = rf"(?:(?:[Tt]|,?\s+|:){_CLOCK}{_ZONE})?"
_FORMATS: Final = tuple(
    (name, re.compile(rf"\s*{pattern}(?:\s+(?:-|\u2013|to|bis)\s+\S.*)?\s*"))
    for name, pattern in (
        ("ISO 8601", rf"(?P<y>[0-9]{{4}})-(?P<m>[0-9]{{1,2}})-(?P<d>[0-9]{{1,2}}){_AFTER_DATE}"),
        (
            "YYYY/MM/DD",
            rf"(?P<y>[0-9]{{4}})(?P<p>[/.])(?P<m>[0-9]{{1,2}})(?P=p)(?P<d>[0-9]{{1,2}}){_AFTER_DATE}",
        ),
        (
            "DD.MM.YYYY",
            rf"(?P<d>[0-9]{{1,2}})\.\s?(?P<m>[0-9]{{1,2}})\.\s?(?P<y>[0-9]{{4}}){_AFTER_DATE}",
        ),
        (
            "day and month",
            rf"(?P<a>[0-9]{{1,2}})(?P<p>[/-])(?P<b>[0-9]{{1,2}})(?P=p)(?P<y>[0-9]{{4}}){_AFTER_DATE}",
        ),
        (
            "month by name",
            r"(?P<d>[0-9]{1,2})\.?[ -](?P<name>[^\W0-9_]{3,9})\.?[ -](?P<y>[0-9]{4})"
            rf"{_AFTER_DATE}",
        ),
        (
            "month by name",
            rf"(?P<name>[^\W0-9_]{{3,9}})\.? (?P<d>[0-9]{{1,2}}),? (?P<y>[0-9]{{4}}){_AFTER_DATE}",
        ),
        (
            "YYYYMMDDHHMM",
            rf"{_DATE}(?:[T:_ ](?P<h>[0-9]{{2}}):?(?P<mi>[0-9]{{2}})"
            rf"(?::?(?P<s>[0-9]{{2}})(?:\.(?P<f>[0-9]{{1,9}}))?)?){_ZONE}",
        ),
    )
)
_DIGITS_ONLY = re.compile(r"\s*(?P<whole>[0-9]{8,19})(?:\.(?P<part>[0-9]{1,9}))?\s*")
_COMPACT: Final = {
    8: re.compile(_DATE),
    10: re.compile(rf"{_DATE}(?P<h>[0-9]{{2}})"),
    12: re.compile(rf"{_DATE}(?P<h>[0-9]{{2}})(?P<mi>[0-9]{{2}})"),
    14: re.compile(rf"{_DATE}(?P<h>[0-9]{{2}})(?P<mi>[0-9]{{2}})(?P<s>[0-9]{{2}})"),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A format of times whose texts differ in digits only."""

    name: str
    match: re.Match[str]
    """The match of one of the texts; the others have their parts at the same positions."""
    aware: bool
    offset_ms: int | None = None
    """The fixed offset of an abbreviation; None: it is in the text."""
    month: int | None = None
    """The month, if the text has its name."""
    half: int | None = None
    """0 for AM and 1 for PM; None on a clock of 24 hours."""
    per_s: int = 0
    """The units per second of an epoch number; 0 for other formats."""

    @property
    def ambiguous(self) -> bool:
        """Day and month are two numbers in an unknown order."""
        return "a" in self.match.groupdict()

    def number(self, letters: Letters, part: str) -> Ints:
        """Return a part of all texts as whole numbers; 0 if the format does not have it."""
        start, end = self._span(part)
        result = np.zeros(letters.shape[1], np.int64)
        for place in range(start, end):
            result *= 10
            result += letters[place]
            result -= ord("0")
        return result

    def times(self, letters: Letters, order: Order | None) -> Ints:
        """Return the times of all texts, ms since 1970; NO_TIME where a number is out of range."""
        if self.per_s:
            return self._epoch(letters)
        first, second = ("a", "b") if order != "mdy" else ("b", "a")
        day = self.number(letters, first if self.ambiguous else "d")
        month = self.number(letters, second if self.ambiguous else "m")
        if self.month is not None:
            month += self.month
        days, valid = _days(self.number(letters, "y"), month, day)
        hour, minute, seconds = (self.number(letters, part) for part in ("h", "mi", "s"))
        if self.half is not None:
            valid &= (hour >= 1) & (hour <= 12)
            hour = hour % 12 + 12 * self.half
        # 24:00 is the end of the day.
        ends = (hour == 24) & (minute == 0) & (seconds == 0)
        valid &= ((hour < 24) | ends) & (minute < 60) & (seconds < 60)
        ms = days * _DAY_MS + (hour * 60 + minute) * 60_000 + seconds * 1000
        ms += self._fraction(letters, "f", 1000)
        if self.offset_ms is not None:
            ms -= self.offset_ms
        elif self.aware:
            own = self.number(letters, "oh") * 60 + self.number(letters, "om")
            valid &= own <= 14 * 60
            ms -= np.where(self.match["sign"] == "+", own, -own) * 60_000
        ms[~valid] = NO_TIME
        return ms

    def _span(self, part: str) -> tuple[int, int]:
        if self.match.groupdict().get(part) is None:
            return 0, 0
        return self.match.span(part)

    def _fraction(self, letters: Letters, part: str, scale: int) -> Ints:
        """Return decimals times `scale`, rounded."""
        start, end = self._span(part)
        decimals = self.number(letters, part)
        factor: float = scale / 10.0 ** (end - start)
        return np.asarray(np.rint(decimals * factor), np.int64)

    def _epoch(self, letters: Letters) -> Ints:
        whole = self.number(letters, "whole")
        valid = (whole >= _EARLIEST_S * self.per_s) & (whole < _LATEST_S * self.per_s)
        if self.per_s <= 1000:
            scale = 1000 // self.per_s
            ms = whole * scale + self._fraction(letters, "part", scale)
        else:
            step = self.per_s // 1000
            ms = (whole + step // 2) // step
        ms[~valid] = NO_TIME
        return ms


def letters_of(texts: Sequence[str]) -> Letters:
    """Return the characters of texts of equal length, [characters, texts]."""
    joined = "".join(texts)
    if joined.isascii():
        rows = np.frombuffer(joined.encode("ascii"), np.uint8).reshape(len(texts), -1)
        return np.ascontiguousarray(rows.T)
    wide = np.frombuffer(joined.encode("utf-32-le"), np.uint32).reshape(len(texts), -1)
    return np.ascontiguousarray(wide.T)


def shape_of(text: str) -> Shape | None:
    """Return the format of a time, or None if it is unknown."""
    if (match := _DIGITS_ONLY.fullmatch(text)) is not None:
        return _of_digits(match)
    for name, pattern in _FORMATS:
        if (match := pattern.fullmatch(text)) is not None:
            return _shape(name, match)
    return None


def _shape(name: str, match: re.Match[str]) -> Shape | None:
    parts = match.groupdict()
    offset_ms = month = half = None
    if (zone := parts.get("zone")) is not None:
        if (minutes := _ABBREVIATED.get(zone.lower())) is None:
            return None
        offset_ms = minutes * 60_000
    if (word := parts.get("name")) is not None and (month := _MONTHS.get(word.lower())) is None:
        return None
    if (mark := parts.get("half")) is not None:
        half = int(mark.lower() == "p")
    aware = offset_ms is not None or parts.get("sign") is not None
    return Shape(name, match, aware, offset_ms, month, half)


def _of_digits(match: re.Match[str]) -> Shape | None:
    """Return the format of a number: a date without separators, or an epoch number, by its size."""
    whole = match["whole"]
    pattern = _COMPACT.get(len(whole))
    if pattern is not None and match["part"] is None and whole[:2] in ("19", "20"):
        found = pattern.match(match.string, match.start("whole"))
        assert found is not None
        shape = Shape("YYYYMMDDHHMMSS"[: len(whole)], found, False)
        if shape.times(letters_of([match.string]), None)[0] != NO_TIME:
            return shape
    for unit, per_s in _PER_S.items():
        if _EARLIEST_S * per_s <= int(whole) < _LATEST_S * per_s:
            return Shape(f"epoch {unit}", match, True, per_s=per_s)
    return None


def _days(year: Ints, month: Ints, day: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the days since 1970, and a mask that is true for the dates that exist."""
    valid = (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1)
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0)
    first, following = (
        (months + step).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        for step in (0, 1)
    )
    valid &= day <= following - first
    return first + day - 1, valid
