"""The bar of `gridsim verify` and `gridsim bench`."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from gridsim.cli.progress import bar_on, left


@pytest.mark.parametrize(
    ("total", "done", "percentage", "seconds", "text"),
    [
        (None, 0.0, 0.0, None, ""),
        (None, 1.0, 0.0, None, "1 so far"),
        (None, 12345.0, 0.0, None, "12,345 so far"),
        (10.0, 0.0, 0.0, None, "  0 %"),
        (10.0, 1.24, 12.4, 59.4, " 12 %  0:59 left"),
        (10.0, 1.25, 12.5, 59.6, " 12 %  1:00 left"),
        (10.0, 9.99, 99.9, 3600.0, "100 %  1:00:00 left"),
    ],
)
def test_the_bar_has_only_what_is_known(
    total: float | None, done: float, percentage: float, seconds: float | None, text: str
) -> None:
    assert left(total, done, percentage, seconds) == text


def test_a_phase_without_a_known_end_has_no_figures() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=80, height=24)

    def shown() -> str:
        text.seek(0)
        text.truncate()
        reporter.say("a line")
        return text.getvalue()

    with bar_on(console) as reporter:
        assert "%" not in shown()
        reporter.begin("reading", 8)
        assert "reading" in shown()
        assert " 0 %" in shown()
        reporter.advance(2)
        reporter.begin("comparing")
        assert "comparing" in shown()
        assert "%" not in shown()
        assert "left" not in shown()
