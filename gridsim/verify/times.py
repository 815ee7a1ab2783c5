"""The conversion of a user's times to milliseconds since 1970."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

import numpy as np

from gridsim.helpers.tables import NO_TIME, Order, order_of, parse_time, parse_times
from gridsim.helpers.timestamps import rfc3339

__all__ = ["NO_TIME", "TimeReader", "stamp_of"]

_BEYOND = 2**63 - 1
# The unit of an epoch number is found by its size: below each bound it is s, ms, us, ns. Each has
# the multiplier and the divisor to milliseconds.
_UNITS = ((10**11, 1000, 1), (10**14, 1, 1), (10**17, 1, 10**3))
_NANOSECONDS = (1, 10**6)
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+[.,]?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_UTC_NAME = re.compile(r"\s*(?:UTC|GMT)$", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)
_CACHED = 100_000
_LEARNED = 1000


class TimeReader:
    """A converter of times to ms since 1970, UTC.

    Digits alone are an epoch in s, ms, us or ns, by their size. Other texts are ISO 8601. A text
    without an offset is a local time of `zone`.
    """

    def __init__(self, zone: tzinfo = UTC, near_ms: int = 0) -> None:
        """Create a clock; `near_ms` is a time close to most others."""
        self._zone = zone
        self._near_ms = near_ms
        self._order: Order | None = None
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

    def learn(self, texts: Sequence[str]) -> None:
        """Find the order of day and month in times such as 7/8/2026.

        If no number above 12 shows it, the order is the one whose times are closer to `near_ms`.
        """
        if self._order is not None:
            return
        some = [text for text in dict.fromkeys(texts[:_LEARNED]) if "/" in text or "-" in text]
        try:
            self._order = order_of(some)
        except ValueError:
            orders: tuple[Order, ...] = ("dmy", "mdy")
            distances = [self._distance(some, order) for order in orders]
            self._order = orders[distances.index(min(distances))]

    def _distance(self, texts: Sequence[str], order: Order) -> float:
        times = parse_times(texts, order=order).ms
        valid = times != NO_TIME
        return float(np.abs(times[valid] - self._near_ms).mean()) + 1e15 * int((~valid).sum())

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
            return _epoch(float(text.replace(",", ".")))
        named = _UTC_NAME.sub("", text)
        try:
            found = datetime.fromisoformat(named)
        except ValueError:
            return self._other(text)
        return self._instant(found if named == text else found.replace(tzinfo=UTC))

    def _other(self, text: str) -> int:
        """Return a time in one of the forms of exports, such as 14.07.2026 15:00."""
        try:
            ms, aware = parse_time(text, order=self._order)
        except ValueError:
            return NO_TIME
        if aware or ms == NO_TIME:
            return ms
        return self._instant(_NAIVE_EPOCH + timedelta(milliseconds=ms))

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


def stamp_of(time_ms: int) -> str:
    """Return a time as text; empty if there is none."""
    try:
        return "" if time_ms == NO_TIME else rfc3339(time_ms)
    except OverflowError:
        return str(time_ms)


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
