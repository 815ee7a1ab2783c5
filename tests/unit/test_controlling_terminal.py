"""Whether SIGHUP is that of a terminal that closes."""

from __future__ import annotations

import pytest

from gridsim.terminals import ControllingTerminal


@pytest.mark.parametrize(
    ("had", "gone_s", "closed"),
    [
        (True, None, False),  # `kill -HUP`, while the terminal is there
        (True, 0.0, True),
        (True, 1.9, True),
        (True, 2.1, False),  # disowned: the terminal closed without a signal
        (False, 0.0, False),  # a service
    ],
)
def test_a_hangup_is_that_of_a_terminal_that_has_just_closed(
    had: bool, gone_s: float | None, closed: bool
) -> None:
    there, now = [had], [0.0]
    terminal = ControllingTerminal(lambda: there[0], lambda: now[0])
    terminal.look()
    there[0] = gone_s is None and had
    if gone_s is not None:
        for now[0] in (100.0, 100.0 + gone_s):
            terminal.look()
    assert terminal.has_closed() is closed


def test_a_stopped_process_looks_too_late_and_still_knows() -> None:
    """Between two looks the shell may have stopped the process, for hours."""
    there, now = [True], [0.0]
    terminal = ControllingTerminal(lambda: there[0], lambda: now[0])
    terminal.look()
    there[0], now[0] = False, 9_999.0
    assert terminal.has_closed()
