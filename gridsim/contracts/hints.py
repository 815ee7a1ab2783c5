"""Hints at the name that a misspelt one probably means."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

# Comparing a long text, or with every id of a large fleet, would take too long.
_LONGEST, _COMPARED = 200, 5_000


def nearest(given: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to the given one; None if none is similar."""
    found = get_close_matches(given[:_LONGEST], list(islice(known, _COMPARED)), 1)
    return found[0] if found else None


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return the end of a message: `; did you mean 'x'?`, or nothing if no name is similar."""
    near = nearest(given, known)
    return "" if near is None else f"; did you mean {near!r}?"


def choose_from(given: str, known: Iterable[str]) -> str:
    """Return the end of a message: the most similar name, or else all known names."""
    names = list(known)
    return did_you_mean(given, names) or f"; there are: {', '.join(names)}"
