"""The conversion of a user's times to milliseconds since 1970."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

NO_TIME: Final = -(2**63)
"""The time is missing or cannot be read."""

_BEYOND = 2**63 - 1
# The unit of an epoch number is found by its size: below each bound it is s, ms, us, ns. Each has
# the multiplier and the divisor to milliseconds.
_UNITS = ((10**11, 1000, 1), (10**14, 1, 1), (10**17, 1, 10**3))
_NANOSECONDS = (1, 10**6)
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_UTC_NAME = re.compile(r"\s*(?:UTC|GMT)$", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CACHED = 100_000


class Clock:
    """A converter of times to ms since 1970, UTC.

    Digits alone are an epoch in s, ms, us or ns, by their size. Other texts are ISO 8601. A text
    without an offset is a local time of `zone`.
    """

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone = zone
        # The readings of a tick have the same time.
        self._known: dict[Any, int] = {}
        self.local = False
        """True if a time had no offset."""
        self.second: dict[int, int] = {}
        """The later meaning of times in an hour that the local clock repeats."""

    def __call__(self, value: Any) -> int:
        """Return the time; NO_TIME if it is not valid."""
        try:
            found = self._known.get(value)
        except TypeError:  # for example a list
            return NO_TIME
        if found is None or type(value) is bool:
            try:
                found = self._read(value)
            except OverflowError:
                found = NO_TIME
            if len(self._known) > _CACHED:
                self._known.clear()
            if type(value) is not bool:
                self._known[value] = found
        return found

    def _read(self, value: Any) -> int:
        if isinstance(value, bool):
            return NO_TIME
        if isinstance(value, datetime):
            return self._instant(value)
        if isinstance(value, int | float | Decimal):
            return _epoch(value)
        if not isinstance(value, str):
            return NO_TIME
        text = value.strip()
        if _INTEGER.fullmatch(text):
            return _epoch(int(text))
        if _DECIMAL.fullmatch(text):
            return _epoch(float(text))
        named = _UTC_NAME.sub("", text)
        try:
            found = datetime.fromisoformat(named)
        except ValueError:
            return NO_TIME
        return self._instant(found if named == text else found.replace(tzinfo=UTC))

    def _instant(self, time: datetime) -> int:
        """Return a time in ms; NO_TIME if it falls into an hour that the local clock skips."""
        if time.tzinfo is not None:
            return _ms(time)
        self.local = True
        first, second = (time.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        found, later = _ms(first), _ms(second)
        if later < found:
            return NO_TIME
        if later > found:
            self.second[found] = later
        return found


def _epoch(value: int | float | Decimal) -> int:
    """Return an epoch number in ms; NO_TIME if it is not finite, or too large."""
    if not isinstance(value, int) and not math.isfinite(value):
        return NO_TIME
    size = abs(value if isinstance(value, int) else float(value))
    sizes = ((times, divisor) for below, times, divisor in _UNITS if size < below)
    times, divisor = next(sizes, _NANOSECONDS)
    if isinstance(value, int):
        found = (value * times + divisor // 2) // divisor
    else:
        found = round(float(value) * times / divisor)
    return found if abs(found) < _BEYOND else NO_TIME


def _ms(aware: datetime) -> int:
    return round((aware - _EPOCH).total_seconds() * 1000)
