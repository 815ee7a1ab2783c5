"""Columns of tables: numbers and times, in the forms that the world writes."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.helpers.tables import NO_TIME, order_of, parse_number, parse_numbers, parse_times


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "time", "aware"),
    [
        ("2026-07-14T15:00:00.250Z", "2026-07-14T15:00:00.250", True),
        ("2026-07-14T15:00:00.123456789Z", "2026-07-14T15:00:00.123", True),
        ("2026-07-14T15:00:00,5", "2026-07-14T15:00:00.500", False),
        ("2026-07-14 15:00", "2026-07-14T15:00", False),
        ("2026-07-14 5:00", "2026-07-14T05:00", False),
        (" 2026-07-14T15:00 ", "2026-07-14T15:00", False),
        ("2026-07-14", "2026-07-14", False),
        ("2026-07-14 24:00", "2026-07-15", False),
        ("2026-12-31T24:00:00Z", "2027-01-01", True),
        ("2026-07-14T15:00+02:00", "2026-07-14T13:00", True),
        ("2026-07-14T15:00:00-0330", "2026-07-14T18:30", True),
        ("2026-07-14T15:00:00+02", "2026-07-14T13:00", True),
        ("2026-07-14T15:00:00+02:00[Europe/Berlin]", "2026-07-14T13:00", True),
        ("2026-07-14 15:00 CEST", "2026-07-14T13:00", True),
        ("2026-07-14 15:00:00 UTC", "2026-07-14T15:00", True),
        ("14.07.2026 15:00", "2026-07-14T15:00", False),
        ("1.7.2026 5:00", "2026-07-01T05:00", False),
        ("14.07.2026, 15:00:30", "2026-07-14T15:00:30", False),
        ("2026/07/14 15:00", "2026-07-14T15:00", False),
        ("14/07/2026 15:00", "2026-07-14T15:00", False),
        ("7/14/2026 3:00 PM", "2026-07-14T15:00", False),
        ("7/14/2026 12:00:00 AM", "2026-07-14T00:00", False),
        ("14-07-2026", "2026-07-14", False),
        ("14-Jul-2026 15:00", "2026-07-14T15:00", False),
        ("1. März 2026 15:00", "2026-03-01T15:00", False),
        ("Jul 14, 2026 15:00", "2026-07-14T15:00", False),
        ("20260714:1510", "2026-07-14T15:10", False),
        ("20260714T150000Z", "2026-07-14T15:00", True),
        ("202607141510", "2026-07-14T15:10", False),
        ("20260714151030", "2026-07-14T15:10:30", False),
        ("20260714", "2026-07-14", False),
        ("14.07.2026 15:00 - 14.07.2026 16:00", "2026-07-14T15:00", False),
        ("1784041200", "2026-07-14T15:00", True),
        ("1784041200.25", "2026-07-14T15:00:00.250", True),
        ("1784041200250", "2026-07-14T15:00:00.250", True),
        ("1784041200250000", "2026-07-14T15:00:00.250", True),
        ("1784041200250000000", "2026-07-14T15:00:00.250", True),
        ("2024-02-29", "2024-02-29", False),
    ],
)
def test_formats_of_times(text: str, time: str, aware: bool) -> None:
    for texts in ([text], [text] * 9, [text, "14.07.2026 15:00:07", "soon"]):
        times = parse_times(texts)
        assert times.ms[0] == ms(time)
        assert times.aware[0] == aware


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "2026-02-29", "2026-13-01", "2026-00-10", "2026-07-14T24:01", "25:00",
        "2026-07-14T15:60", "2026-07-14 15:00 EST", "14.7.26 15:00", "12", "3.5", "178404120025",
        "2026-07-14T13:00 PM", "7/14/2026 0:30 AM", "2026-07-14T15:00+15:00",
        "\u0662\u0660\u0662\u0666-07-14",
        "1e9", "-1784041200", "99999999999999999999",
    ],
)  # fmt: skip
def test_no_time(text: str) -> None:
    assert parse_times([text]).ms.tolist() == [NO_TIME]


def test_digits_are_never_read_as_an_iso_date() -> None:
    first = 1_784_041_200_250
    stamps = [first + n * 86_399_999 for n in range(1000)]
    assert parse_times([str(stamp) for stamp in stamps]).ms.tolist() == stamps


def test_the_order_of_day_and_month_comes_from_the_column() -> None:
    assert order_of(["1/2/2026", "13/2/2026"]) == "dmy"
    assert order_of(["1/2/2026 10:00", "2/13/2026 10:00"]) == "mdy"
    assert order_of(["2026-01-02", "1.2.2026"]) is None
    times = parse_times(["1/2/2026", "13/2/2026"])
    assert times.ms.tolist() == [ms("2026-02-01"), ms("2026-02-13")]
    assert parse_times(["1/2/2026"], order="mdy").ms.tolist() == [ms("2026-01-02")]
    with pytest.raises(ValueError, match="may have the day or the month first: set time_format"):
        parse_times(["1/2/2026", "3/4/2026"])
    with pytest.raises(ValueError, match="above 12 for the day and for the month"):
        parse_times(["13/1/2026", "1/13/2026"])


def test_a_format_of_choice() -> None:
    times = parse_times(["26|07|14 15h", "never"], format="%y|%m|%d %Hh")
    assert times.ms.tolist() == [ms("2026-07-14T15:00"), NO_TIME]
    assert parse_times(["1/7/2026 24:00"], format="%d/%m/%Y %H:%M").ms[0] == ms("2026-07-02")
    aware = parse_times(["14/07/2026 +0200"], format="%d/%m/%Y %z")
    assert (aware.ms[0], aware.aware[0]) == (ms("2026-07-13T22:00"), True)


@given(st.lists(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), min_size=1, max_size=20))
def test_iso_times_are_those_of_python(times: list[datetime]) -> None:
    for spec in ("seconds", "milliseconds"):
        texts = [time.isoformat(timespec=spec) for time in times]
        expected = [
            round((datetime.fromisoformat(text) - datetime(1970, 1, 1)).total_seconds() * 1000)
            for text in texts
        ]
        assert parse_times(texts).ms.tolist() == expected


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_numbers_are_those_of_python(values: list[float]) -> None:
    texts = [repr(value) for value in values]
    assert parse_numbers(texts).tolist() == values
    assert parse_numbers([text.replace(".", ",") for text in texts], ",").tolist() == values


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        (" 1.5 ", ".", 1.5), ("1.", ".", 1.0), (".5", ".", 0.5), ("+1e3", ".", 1000.0),
        ("\u22125", ".", -5.0), ("1,5", ",", 1.5), ("-0,25", ",", -0.25), ("7", ",", 7.0),
    ],
)  # fmt: skip
def test_a_number(text: str, decimal: str, value: float) -> None:
    assert parse_number(text, decimal) == value  # type: ignore[arg-type]
    assert parse_numbers([text, "x"], decimal).tolist()[0] == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    ["", "nan", "inf", "1_000", "1,234,5", "1 23", "0x10", "1e999", "\u0663", "1.5.1", "kW"],
)
def test_not_a_number(text: str) -> None:
    assert np.isnan(parse_number(text))
    assert np.isnan(parse_numbers([text, "1"])).tolist() == [True, False]
