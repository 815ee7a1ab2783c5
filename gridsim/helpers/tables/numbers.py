"""Numbers as text, with a decimal point or a decimal comma."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from gridsim.helpers.randomness import Floats

Decimal = Literal[".", ","]

MISSING_TEXTS: Final = frozenset(
    ["", "-", "--", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "\\n", "missing"]
)
"""The texts, in lower case, that mark a missing value in a table."""

_PLAIN = re.compile(r"[0-9eE+\-. \t\n]*")
_POINT = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_COMMA = re.compile(r"\s*[+-]?(?:[0-9]+,?[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_MARKS: Final[tuple[tuple[Decimal, Decimal], ...]] = ((".", ","), (",", "."))
_SPACES = "' \u2019\u00a0\u2009\u202f"
_GROUPS: Final[dict[Decimal, re.Pattern[str]]] = {
    decimal: re.compile(
        rf"\s*[+-]?[1-9][0-9]{{0,2}}([{other}{_SPACES}])[0-9]{{3}}(?:\1[0-9]{{3}})*"
        rf"(?:\{decimal}[0-9]*)?\s*"
    )
    for decimal, other in _MARKS
}
"""Numbers with a separator of thousands, by the decimal mark."""
_SEPARATORS: Final = str.maketrans("", "", f".,{_SPACES}")
_THOUSANDS = re.compile(r"\s*[+-]?[1-9][0-9]{0,2}\.[0-9]{3}\s*")
_CERTAIN: Final = 2
"""The number of equal marks that can only separate thousands."""
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-"})


def parse_numbers(texts: Sequence[str], decimal: Decimal = ".", *, certain: bool = False) -> Floats:
    """Return a column of numbers, float64[n]; NaN for a text that is not a finite number.

    `certain`: the decimal mark is certain, so that the other mark can only separate thousands. Such
    numbers as 1,234.5 and 1.234.567 in the column show that, too.
    """
    joined = "\n".join(texts)
    if decimal == ",":
        if "." not in joined:
            joined = joined.replace(",", ".")
            plain = joined.split("\n")
            if len(plain) == len(texts) and _PLAIN.fullmatch(joined):
                return _converted(plain, ".", texts)
    elif _PLAIN.fullmatch(joined):
        return _converted(texts, ".", texts)
    certain = certain or any(_is_grouped(text, decimal) for text in texts)
    values = [parse_number(text, decimal, certain=certain) for text in texts]
    return np.array(values, np.float64)


def parse_number(text: str, decimal: Decimal = ".", *, certain: bool = False) -> float:
    """Return the number in a text, or NaN if it is not a finite number.

    Thousands may be separated by spaces or apostrophes, or by the mark that is not the decimal
    mark; see `parse_numbers` for `certain`.
    """
    text = text.translate(_MINUS)
    if not (_POINT if decimal == "." else _COMMA).fullmatch(text):
        grouped = _GROUPS[decimal].fullmatch(text)
        if not grouped or (grouped[1] in ".," and not certain and not _is_grouped(text, decimal)):
            return float("nan")
        whole, mark, fraction = text.strip().partition(decimal)
        text = whole.translate(_SEPARATORS) + mark + fraction
    value = float(text.replace(",", "."))
    return value if abs(value) < float("inf") else float("nan")


def is_missing(text: str) -> bool:
    """Return true for a text that marks a missing value."""
    return text.strip().lower() in MISSING_TEXTS


def why_not(text: str, decimal: Decimal = ".") -> str:
    """Explain in a few words why a text is not a number."""
    shown = f"{text[:40]!r}{'...' if len(text) > 40 else ''}"
    if is_missing(text):
        return f"{shown}, a missing value"
    if (_POINT if decimal == "." else _COMMA).fullmatch(text):
        return f"{shown}, which is too large"
    if _matches_other(text, decimal):
        names = {".": ("a decimal comma", "a decimal point"), ",": ("a decimal point", "a comma")}
        other, own = names[decimal]
        if _GROUPS[decimal].fullmatch(text):
            other = f"{other} or a separator of thousands"
        return f"{shown}, with {other}, but the table has {own}: set decimal"
    return f"{shown}, which is not a number"


def decimal_of(texts: Sequence[str], delimiter: str) -> Decimal:
    """Return the decimal mark of a table's numbers, from some of its fields.

    It raises ValueError if they do not determine it. `1,234` counts as a decimal only if another
    field or a semicolon as delimiter confirms it. `1.234` does not count as one if the delimiter is
    a semicolon. `1,234.5` and `1.234.567` are certain.
    """
    texts = [text.translate(_MINUS) for text in texts]
    commas = [text.strip() for text in texts if "," in text and _COMMA.fullmatch(text)]
    points = [text.strip() for text in texts if "." in text and _POINT.fullmatch(text)]
    grouped = {mark: sum(_shows(text, mark) for text in texts) for mark in _GROUPS}
    if len(commas) + grouped[","] <= len(points) + grouped["."]:
        if delimiter == ";" and points and all(map(_THOUSANDS.fullmatch, points)):
            if grouped[","]:
                return ","
            if not grouped["."]:
                raise ValueError(
                    f"{points[0]!r} may have a decimal point or a thousands separator: set decimal"
                )
        return "."
    certain = delimiter == ";" or grouped[","] > 0
    certain = certain or any(not _GROUPS["."].fullmatch(text) for text in commas)
    if not certain:
        raise ValueError(
            f"{commas[0]!r} may have a decimal comma or a thousands separator: set decimal"
        )
    return ","


def _shows(text: str, decimal: Decimal) -> bool:
    """Return whether a number with separated thousands can only have this decimal mark."""
    other = "," if decimal == "." else "."
    certain = decimal in text or text.count(other) >= _CERTAIN
    return certain and bool(_GROUPS[decimal].fullmatch(text.translate(_MINUS)))


def _is_grouped(text: str, decimal: Decimal) -> bool:
    """Return whether a text can only be a number with thousands separated by the other mark."""
    return ("," if decimal == "." else ".") in text and _shows(text, decimal)


def _converted(plain: Sequence[str], decimal: Decimal, texts: Sequence[str]) -> Floats:
    try:
        values = np.array(list(map(float, plain)), np.float64)
    except ValueError:
        values = np.array([parse_number(text, decimal) for text in plain], np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _matches_other(text: str, decimal: Decimal) -> bool:
    return bool((_COMMA if decimal == "." else _POINT).fullmatch(text))
