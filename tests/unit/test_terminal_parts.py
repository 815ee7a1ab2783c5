"""The sparklines, the histogram and the words of the view `terminal`."""

from __future__ import annotations

import numpy as np
import pytest

from gridsim_plugins.views.terminal import words
from gridsim_plugins.views.terminal.sparkline import columns_of, histogram, sparkline
from gridsim_plugins.views.terminal.theme import UNICODE

NAN = float("nan")


def test_bars_of_both_signs_differ() -> None:
    line = sparkline(np.array([0.0, 1.0, 7.0, -7.0, -1.0, NAN]), UNICODE, "")
    assert line.plain == "▁▁▇▁▇ "
    assert [(span.start, span.style) for span in line.spans] == [(3, " reverse"), (4, " reverse")]


@pytest.mark.parametrize(
    ("first", "count", "columns"),
    [
        (0, 0, []),
        (0, 3, [0.0, 1.0, 2.0]),
        (0, 5, [0.5, 2.5, 4.0]),
        (1, 5, [0.0, 1.5, 3.5]),
        (100, 900, None),
    ],
)
def test_columns_are_means_that_begin_at_multiples_of_their_size(
    first: int, count: int, columns: list[float] | None
) -> None:
    found = columns_of(np.arange(count, dtype=np.float64), first, 4)
    assert len(found) <= 4
    if columns is not None:
        assert found.tolist() == columns


def test_a_histogram_covers_its_range() -> None:
    assert histogram(np.array([0.0, 55.0, 100.0, 100.0]), 0, 100, 4, UNICODE).plain == "▄ ▄▇"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (words.power(-0.004), "+0.00"),
        (words.power(-0.005), "-0.01"),
        (words.power(1234567.891), "+1,234,567.89"),
        (words.share(1.0, 0.0), "-"),
        (words.duration(59.4), "59 s"),
        (words.duration(59.6), "1 min 00 s"),
        (words.duration(3600), "1 h 00 min"),
        (words.duration(86_400 * 3 + 7200), "3 d 02 h"),
        (words.delay(0.00949), "9.5 ms"),
        (words.delay(0.9994), "999 ms"),
        (words.delay(0.9996), "1.0 s"),
        (words.rate(0.0), "0"),
        (words.rate(9.94), "9.9"),
        (words.rate(9.96), "10"),
        (words.speed(0), "as fast as possible"),
        (words.speed(1), "real time"),
        (words.speed(1500), "1,500x"),
    ],
)
def test_words(text: str, shown: str) -> None:
    assert text == shown
