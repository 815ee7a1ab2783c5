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
_GROUPED = re.compile(
    r"\s*[+-]?[0-9]{1,3}([.,' \u00a0\u2009\u202f])[0-9]{3}(?:\1[0-9]{3})*([.,][0-9]*)?\s*"
)
_THOUSANDS = re.compile(r"\s*[+-]?[1-9][0-9]{0,2}\.[0-9]{3}\s*")
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-"})


def parse_numbers(texts: Sequence[str], decimal: Decimal = ".") -> Floats:
    """Return a column of numbers, float64[n]; NaN for a text that is not a finite number."""
    joined = "\n".join(texts)
    if decimal == ",":
        if "." not in joined:
            joined = joined.replace(",", ".")
            plain = joined.split("\n")
            if len(plain) == len(texts) and _PLAIN.fullmatch(joined):
                return _converted(plain, ".", texts)
    elif _PLAIN.fullmatch(joined):
        return _converted(texts, ".", texts)
    return np.array([parse_number(text, decimal) for text in texts], np.float64)


def parse_number(text: str, decimal: Decimal = ".") -> float:
    """Return the number in a text, or NaN if it is not a finite number."""
    text = text.translate(_MINUS)
    if not (_POINT if decimal == "." else _COMMA).fullmatch(text):
        return float("nan")
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
    if _GROUPED.fullmatch(text.translate(_MINUS)) and not _matches_other(text, decimal):
        return f"{shown}, with a thousands separator: write numbers without one"
    if (_POINT if decimal == "." else _COMMA).fullmatch(text):
        return f"{shown}, which is too large"
    if _matches_other(text, decimal):
        names = {".": ("a decimal comma", "a decimal point"), ",": ("a decimal point", "a comma")}
        other, own = names[decimal]
        return f"{shown}, with {other}, but the table has {own}: set decimal"
    return f"{shown}, which is not a number"


def decimal_of(texts: Sequence[str], delimiter: str) -> Decimal:
    """Return the decimal mark of a table's numbers, from some of its fields.

    It raises ValueError if they do not determine it. `1,234` counts as a decimal only if another
    field or a semicolon as delimiter confirms it. `1.234` does not count as one if the delimiter is
    a semicolon.
    """
    texts = [text.translate(_MINUS) for text in texts]
    commas = [text.strip() for text in texts if "," in text and _COMMA.fullmatch(text)]
    points = sum("." in text and bool(_POINT.fullmatch(text)) for text in texts)
    if len(commas) <= points:
        grouped = [text for text in texts if "." in text and _POINT.fullmatch(text)]
        if delimiter == ";" and grouped and all(map(_THOUSANDS.fullmatch, grouped)):
            raise ValueError(
                f"{grouped[0].strip()!r} may have a decimal point or a thousands separator: set "
                "decimal"
            )
        return "."
    certain = delimiter == ";" or any(not _GROUPED.fullmatch(text) for text in commas)
    certain = certain or any(text.lstrip("+-").startswith("0") for text in commas)
    if not certain:
        raise ValueError(
            f"{commas[0]!r} may have a decimal comma or a thousands separator: set decimal"
        )
    return ","


def _converted(plain: Sequence[str], decimal: Decimal, texts: Sequence[str]) -> Floats:
    try:
        values = np.array(list(map(float, plain)), np.float64)
    except ValueError:
        values = np.array([parse_number(text, decimal) for text in plain], np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _matches_other(text: str, decimal: Decimal) -> bool:
    return bool((_COMMA if decimal == "." else _POINT).fullmatch(text))
