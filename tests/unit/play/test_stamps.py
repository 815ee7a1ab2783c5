"""Times that are moved keep their form."""

from __future__ import annotations

import pytest

from gridsim.play.stamps import Mover, moved


@pytest.mark.parametrize(
    ("text", "seconds", "expected"),
    [
        ("2026-07-01T12:00:00.000Z", 1, "2026-07-01T12:00:01.000Z"),
        ("2026-07-01T12:00:00.123Z", -1, "2026-07-01T11:59:59.123Z"),
        ('"2026-12-31T23:59:59.5Z"', 1, '"2027-01-01T00:00:00.5Z"'),
        ("2026-07-01 12:00:00", 86_400, "2026-07-02 12:00:00"),
        ("2026-07-01T12:00:00-03:00", 3600, "2026-07-01T13:00:00-03:00"),
        ("2026-07-01T12:00:00.123456+0200", 0, "2026-07-01T12:00:00.123456+0200"),
        ("2026-02-28T12:00Z", 86_400, "2026-03-01T12:00:00Z"),
        ("1782907200", 10, "1782907210"),
        ("1782907200.25", 10, "1782907210.25"),
        ("1782907200123", 10, "1782907210123"),
        ("1782907200123456", 10, "1782907210123456"),
        ('"1782907200123456789"', 10, '"1782907210123456789"'),
        ("0001-01-02T00:00:00Z", -86_400, "0001-01-01T00:00:00Z"),
    ],
)
def test_a_moved_time_has_the_form_of_the_first(text: str, seconds: int, expected: str) -> None:
    assert moved(text.encode(), seconds).decode() == expected
    mover = Mover(seconds)
    assert [mover(text.encode()) for _ in range(2)] == [expected.encode()] * 2


@pytest.mark.parametrize("text", ["", "soon", "01.07.2026", "2026-13-01T00:00:00Z", "1e9", '"'])
def test_another_text_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        moved(text.encode(), 1)


def test_a_time_does_not_leave_the_calendar() -> None:
    with pytest.raises(ValueError, match="not a valid time"):
        moved(b"9999-12-31T23:59:59Z", 1)
