"""A terminal whose screen a test reads."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.unit.terminal_screen.terminals import Terminal


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    made = Terminal()
    yield made
    made.stream.close()
    os.close(made.ours)
