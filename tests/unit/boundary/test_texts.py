"""The line of a plugin, its texts and its interruption, as errors show them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from gridsim.errors import failure, printable
from tests.unit.boundary.culprits import DEVICE, said, write


def test_the_plugins_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = write(tmp_path, "der", DEVICE, "STEP", 'raise ValueError("boom")')
    line = 1 + (tmp_path / "culprit.py").read_text().splitlines().index(
        '        raise ValueError("boom")'
    )
    told = said(config)
    assert told == (
        "the DER type 'culprit' failed at tick 0: ValueError: boom, for HOME_1_culprit "
        f"(culprit.py:{line} in step)"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\x1b[31m", "two\\nlines\\x1b[31m"),
        ("Fläche \u202e", "Fläche \\u202e"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 300 + "... (301 characters in all)"),
        ("\x00" * 8400, "\\x00" * 75 + "... (8,400 characters in all)"),
    ],
)
def test_a_foreign_text_is_one_short_line(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_ctrl_c_in_a_plugin_is_not_its_error() -> None:
    def interrupted() -> None:
        signal.raise_signal(signal.SIGINT)
        for _ in range(1000):
            pass

    # A shell starts a job in the background with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            interrupted()
        with pytest.raises(KeyboardInterrupt):
            failure("the weather 'slow'", caught.value)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_keyboard_interrupt_of_a_plugin_is_its_error() -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as error:
        made = failure("the weather 'odd'", error)
    assert str(made).startswith("the weather 'odd' failed: KeyboardInterrupt (test_texts.py:")
