"""The times of a user's data."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gridsim.verify.times import NO_TIME, TimeReader

AT = 1_784_041_200_250
"""2026-07-14T15:00:00.250Z."""


@pytest.mark.parametrize(
    "value",
    [
        AT, str(AT), f" {AT} ", float(AT), f"{AT}.0", "1.784041200250E+12", "1,784041200250E+12",
        AT / 1000, str(AT / 1000), "1784041200,25", Decimal("1784041200.25"), AT * 1000,
        f"{AT}000", AT * 1_000_000, f"{AT}000000", "2026-07-14T15:00:00.250Z",
        "2026-07-14 15:00:00.25", "2026-07-14 15:00:00.250000 UTC", "2026-07-14T17:00:00.250+02:00",
        "20260714T150000.250Z", "14.07.2026 15:00:00,250", "2026/07/14 15:00:00.250",
        datetime(2026, 7, 14, 15, 0, 0, 250_000, UTC), datetime(2026, 7, 14, 15, 0, 0, 250_000),
    ],
)  # fmt: skip
def test_a_time_in_every_form(value: object) -> None:
    assert TimeReader()(value) == AT


@pytest.mark.parametrize(
    ("digits", "ms"),
    [
        ("0", 0),
        ("1784", 1_784_000),
        ("20260714", 20_260_714_000),  # never a date
        ("202607141500", 202_607_141_500),
        ("99999999999", 99_999_999_999_000),
        ("100000000000", 100_000_000_000),
        ("99999999999999", 99_999_999_999_999),
        ("100000000000000", 100_000_000_000),
        ("99999999999999999", 100_000_000_000_000),
        ("100000000000000000", 100_000_000_000),
        ("-1784041200250", -1_784_041_200_250),
    ],
)
def test_digits_are_an_epoch_by_their_size(digits: str, ms: int) -> None:
    assert TimeReader()(digits) == TimeReader()(int(digits)) == ms


def test_no_instant_is_taken_for_a_date() -> None:
    """1784041200250 was read as the year 1784: one instant in ninety."""
    read = TimeReader()
    for ms in range(1_767_225_600_000, 1_798_761_600_000, 86_399_997 // 3):
        assert read(str(ms)) == ms
        assert read(str(ms // 1000)) == ms // 1000 * 1000


@pytest.mark.parametrize(
    "value",
    [
        None, "", "garbage", "nan", "inf", float("nan"), float("inf"), "1e400", True, False, [1],
        {"a": 1}, "9" * 40, 10**400, "2026-13-01T00:00:00Z", "2026-07-14T25:00:00Z", "12:00", b"1",
    ],
)  # fmt: skip
def test_no_time(value: object) -> None:
    assert TimeReader()(value) == NO_TIME


def test_the_order_of_day_and_month_follows_from_the_run() -> None:
    july, august = 1_783_468_800_000, 1_786_147_200_000  # 8 July and 8 August 2026
    for near, other, text in ((july, august, "7/8/2026 00:00"), (august, july, "8/8/2026 00:00")):
        clock = TimeReader(near_ms=near)
        clock.learn([text, text])
        assert abs(clock(text) - near) < abs(clock(text) - other)
