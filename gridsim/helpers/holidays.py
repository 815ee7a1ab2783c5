"""Public holidays: dates, days of each year, and days that are counted from Easter Sunday."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SUNDAY = 6
_FORMS = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)|(?P<day>\d\d-\d\d)( (?P<weekday>[a-z]+))?"
    r"|(?P<easter>easter)(?P<offset>[+-]\d{1,3})?"
)
# Of whole countries, by their laws; regions have more. Without days in lieu of a holiday at a
# weekend. The package holidays 0.109 has the same days in the years 2026 to 2035, but for Good
# Friday in the Netherlands and one day in Ireland.
_COUNTRIES = {
    "AT": "01-01,01-06,easter+1,05-01,easter+39,easter+50,easter+60,08-15,10-26,11-01,12-08,12-25,"
    "12-26",
    "AU": "01-01,01-26,easter-2,easter+1,04-25,12-25,12-26",
    "BE": "01-01,easter+1,05-01,easter+39,easter+50,07-21,08-15,11-01,11-11,12-25",
    "CA": "01-01,easter-2,07-01,09-01 monday,12-25",
    "CZ": "01-01,easter-2,easter+1,05-01,05-08,07-05,07-06,09-28,10-28,11-17,12-24,12-25,12-26",
    "DE": "01-01,easter-2,easter+1,05-01,easter+39,easter+50,10-03,12-25,12-26",
    "DK": "01-01,easter-3,easter-2,easter+1,easter+39,easter+50,12-25,12-26",
    "ES": "01-01,01-06,easter-2,05-01,08-15,10-12,11-01,12-06,12-08,12-25",
    "FI": "01-01,01-06,easter-2,easter+1,05-01,easter+39,06-19 friday,06-20 saturday,"
    "10-31 saturday,12-06,12-24,12-25,12-26",
    "FR": "01-01,easter+1,05-01,05-08,easter+39,easter+50,07-14,08-15,11-01,11-11,12-25",
    "GB": "01-01,easter-2,easter+1,05-01 monday,05-25 monday,08-25 monday,12-25,12-26",
    "IE": "01-01,02-01 monday,03-17,easter+1,05-01 monday,06-01 monday,08-01 monday,10-25 monday,"
    "12-25,12-26",
    "IT": "01-01,01-06,easter+1,04-25,05-01,06-02,08-15,10-04,11-01,12-08,12-25,12-26",
    "NL": "01-01,easter+1,04-27,easter+39,easter+50,12-25,12-26",
    "NO": "01-01,easter-3,easter-2,easter+1,05-01,05-17,easter+39,easter+50,12-25,12-26",
    "PL": "01-01,01-06,easter+1,05-01,05-03,easter+60,08-15,11-01,11-11,12-24,12-25,12-26",
    "PT": "01-01,easter-2,04-25,05-01,easter+60,06-10,08-15,10-05,11-01,12-01,12-08,12-25",
    "SE": "01-01,01-06,easter-2,easter+1,05-01,easter+39,06-06,06-20 saturday,10-31 saturday,12-25,"
    "12-26",
    "US": "01-01,01-15 monday,02-15 monday,05-25 monday,06-19,07-04,09-01 monday,10-08 monday,"
    "11-11,11-22 thursday,12-25",
}
COUNTRIES = tuple(_COUNTRIES)


@dataclass(frozen=True)
class Holidays:
    """The public holidays of a place, by rules.

    A rule is a date (`2026-12-24`), a day of each year (`12-24`), the first weekday from a day on
    (`05-25 monday`), a number of days from Easter Sunday (`easter+39`), or a country (`DE`).
    """

    rules: tuple[str, ...] = ()
    _years: dict[int, frozenset[int]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for rule in self.rules:
            check_rule(rule)

    def weekday(self, day: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the weekdays of days since 1970-01-01, 0 for Monday; holidays are Sundays, 6."""
        weekday: NDArray[np.int64] = (day + 3) % 7  # 1970-01-01 was a Thursday
        if self.rules and day.size:
            first, last = int(day.min()), int(day.max())
            found = [one for one in self._between(first, last) if first <= one <= last]
            if found:
                weekday[np.isin(day, found)] = _SUNDAY
        return weekday

    def _between(self, first: int, last: int) -> list[int]:
        days: list[int] = []
        for year in range(_date(first).year, _date(last).year + 1):
            if year not in self._years:
                self._years[year] = frozenset(_days(self.rules, year))
            days += self._years[year]
        return days


NONE = Holidays()
"""No public holidays: all days are ordinary."""


def check_rule(rule: str) -> None:
    """Raise ValueError, with the possible forms, if `rule` is not a rule of holidays."""
    try:
        for year in (2024, 2026):
            list(_days([rule], year))
    except (ValueError, OverflowError):
        raise ValueError(
            f"{rule!r} must be a country ({', '.join(COUNTRIES)}), a date such as 2026-12-24, a "
            "day of each year such as 12-24, the first weekday from a day on such as "
            '"05-25 monday", or a number of days from Easter Sunday such as easter+39'
        ) from None


def _days(rules: Iterable[str], year: int) -> Iterable[int]:
    for rule in rules:
        if rule in _COUNTRIES:
            yield from _days(_COUNTRIES[rule].split(","), year)
            continue
        found = _FORMS.fullmatch(rule)
        if found is None:
            raise ValueError(rule)
        if found["easter"]:
            yield _number(_easter(year) + timedelta(days=int(found["offset"] or 0)))
        elif found["date"]:
            on = date.fromisoformat(found["date"])
            if on.year == year:
                yield _number(on)
        else:
            month, day = map(int, found["day"].split("-"))
            if (month, day) == (2, 29) and year % 4:
                continue
            on = date(year, month, day)
            if found["weekday"]:
                on += timedelta(days=(_WEEKDAYS.index(found["weekday"]) - on.weekday()) % 7)
            yield _number(on)


def _easter(year: int) -> date:
    """Return Easter Sunday of the western churches (the Gregorian computus)."""
    golden, century = year % 19, year // 100
    epact = (19 * golden + century - century // 4 - (8 * century + 13) // 25 + 15) % 30
    full_moon = epact - epact // 28 * (1 - 29 // (epact + 1) * (21 - golden) // 11)
    weekday = (year + year // 4 + full_moon + 2 - century + century // 4) % 7
    sunday = full_moon - weekday
    return date(year, 3, 28) + timedelta(days=sunday)


def _number(on: date) -> int:
    return on.toordinal() - date(1970, 1, 1).toordinal()


def _date(day: int) -> date:
    return date.fromordinal(day + date(1970, 1, 1).toordinal())
