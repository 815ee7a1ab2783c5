"""Durations of the command line, and the clock of the site."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gridsim.config.tables.simulation import start_ms
from gridsim.errors import UsageError
from gridsim.running.durations import seconds
from gridsim.text.words import site_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("10s", 10),
        ("500ms", 0.5),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        (" 1d2h ", 93_600),
        ("1d1h1m1s1ms", 90_061.001),
        ("0.1h0.1m0.1s", 366.1),
        ("36525d", 3_155_760_000),
    ],
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text, "--duration") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is empty"),
        ("1h30", "'1h30' has no unit after 30"),
        ("30m1h", "has its units in the wrong order"),
        ("1h1h", "or one of them twice"),
        ("5x", "has the unknown unit 'x'"),
        ("5M", "has the unknown unit 'M'"),
        ("-5s", "'-5s' is not a duration"),
        ("1e3", "has the unknown unit 'e'"),
        ("inf", "'inf' is not a duration"),
        ("nan", "'nan' is not a duration"),
        ("1.h", "'1.h' has no unit after 1"),
        ("\u0661s", "is not a duration"),
        ("36525d1s", "must be at most 100 years"),
        ("9" * 400 + "d", "must be at most 100 years"),
    ],
)
def test_durations_that_cannot_be_used(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        seconds(text, "--wait")
    assert str(caught.value).startswith("--wait: error: ")
    assert message in str(caught.value)


def utc(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-07-01", "UTC", "2026-07-01T00:00:00+00:00"),
        ("2026-07-01", "America/Moncton", "2026-07-01T03:00:00+00:00"),
        ("2026-01-01", "America/Moncton", "2026-01-01T04:00:00+00:00"),
        ("2026-07-01", "Asia/Tokyo", "2026-06-30T15:00:00+00:00"),
        # Clocks were set forward from 00:00 to 01:00, and back from 01:00 to 00:00.
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00+00:00"),
        ("2026-11-01", "America/Havana", "2026-11-01T04:00:00+00:00"),
        ("2026-07-01T00:00:00Z", "Asia/Tokyo", "2026-07-01T00:00:00+00:00"),
        ("1970-01-01", "America/Moncton", "1970-01-01T04:00:00+00:00"),
        ("2199-12-31", "UTC", "2199-12-31T00:00:00+00:00"),
    ],
)
def test_a_date_means_the_beginning_of_the_day_at_the_site(
    text: str, zone: str, expected: str
) -> None:
    assert utc(start_ms(text, 0, zone)) == expected


def test_the_clock_of_the_site_shows_its_offset() -> None:
    assert site_time(1_782_907_200_999, "America/Moncton") == "2026-07-01 09:00:00-03:00"
    assert site_time(1_782_907_200_000, "UTC") == "2026-07-01 12:00:00+00:00"
