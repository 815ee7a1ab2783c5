"""Times in recorded texts that are moved by whole seconds, in the form that they have."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

_ISO: Final = re.compile(
    rb'("?)(\d{4})-(\d\d)-(\d\d)([Tt ])(\d\d):(\d\d)(?::(\d\d))?((?:[.,]\d+)?\s*'
    rb'(?:[Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?)?"?)'
)
_NUMBER: Final = re.compile(rb'("?)(-?)(\d+)((?:\.\d+)?"?)')
# The units per second of an epoch number, by its number of digits.
_UNITS: Final = ((11, 1), (14, 1_000), (17, 1_000_000))
_NANOSECONDS: Final = 1_000_000_000


def moved(text: bytes, seconds: int) -> bytes:
    """Return a time moved by whole seconds; `text` may be in quotes.

    A time keeps its form: its decimals, its offset, or that it is a number of s, ms, us or ns since
    1970, which its size shows. Raises ValueError for another text.
    """
    if match := _ISO.fullmatch(text):
        quote, *parts, rest = match.groups()
        year, month, day, separator, hour, minute, second = parts
        try:
            minute_begins = datetime(int(year), int(month), int(day), int(hour), int(minute))
            time = minute_begins + timedelta(seconds=int(second or 0) + seconds)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"is not a valid time: {error}") from None
        date, clock = f"{time:%Y-%m-%d}".rjust(10, "0").encode(), f"{time:%H:%M:%S}".encode()
        return b"".join((quote, date, separator, clock, rest))
    if match := _NUMBER.fullmatch(text):
        quote, sign, digits, rest = match.groups()
        per_s = next((unit for below, unit in _UNITS if len(digits) <= below), _NANOSECONDS)
        number = int(sign + digits) + seconds * per_s
        return b"".join((quote, str(number).encode(), rest))
    raise ValueError("is neither a time such as 2026-07-01T12:00:00Z nor a number since 1970")


class Mover:
    """A function that moves times by one number of seconds. Equal texts are moved once."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._known: dict[bytes, bytes] = {}

    def __call__(self, text: bytes) -> bytes:
        """Return a time moved. Raises ValueError if it is not a time."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) > 10_000:
                self._known.clear()
            found = self._known[text] = moved(text, self._seconds)
        return found
