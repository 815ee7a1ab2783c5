"""The choice of `--ui`: which runs get the live view, and what the others say."""

from __future__ import annotations

import io
import os
import pty
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import typer

from gridsim.cli.ui import UiChoice
from gridsim.config.resolve import Flags
from gridsim.running.plan import Options, make_plan

Planned = Callable[..., tuple[str, ...]]

CONFIG = """
[[projects]]
id = "HOME"

[[projects.ders]]
id = "HOME_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0

[[transports]]
type = "file"
path = "out.jsonl"
"""


@pytest.fixture
def logged() -> Iterator[list[str]]:
    from loguru import logger

    lines: list[str] = []
    number = logger.add(lambda message: lines.append(message.record["message"]), level="WARNING")
    yield lines
    logger.remove(number)


@pytest.fixture
def terminal() -> Iterator[io.TextIOWrapper]:
    ours, theirs = pty.openpty()
    with io.TextIOWrapper(io.FileIO(theirs, "w")) as stream:
        yield stream
    os.close(ours)


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planned:
    monkeypatch.setenv("TERM", "xterm")

    def planned(
        ui: str,
        stderr: io.TextIOBase,
        *,
        log_json: bool = False,
        tables: str = "",
        overrides: tuple[str, ...] = (),
        stdout: int | None = None,
    ) -> tuple[str, ...]:
        """Return the names of the views of a run."""
        path = tmp_path / "home.toml"
        path.write_text(CONFIG + tables)
        with ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(sys, "stderr", stderr)
            if stdout is not None:
                before = os.dup(1), os.dup(2)
                for number, copy in enumerate(before, 1):
                    stack.callback(os.close, copy)
                    stack.callback(os.dup2, copy, number)
                os.dup2(stdout, 1)
                os.dup2(stderr.fileno(), 2)
            choice = UiChoice(ui, log_json=log_json)
            options = Options(path, flags=Flags(views=choice.views), overrides=overrides)
            plan = choice.applied(make_plan(options))
            plan.close()
            return tuple(one.name for one in plan.views)

    return planned


VIEW = '\n[[views]]\ntype = "terminal"\n'
STDOUT = ("transports.0.type='stdout'",)


@pytest.mark.parametrize("tables", ["", VIEW])
@pytest.mark.parametrize(
    ("ui", "views"), [("auto", ("terminal",)), ("live", ("terminal",)), ("plain", ()), ("none", ())]
)
def test_on_a_terminal(
    planned: Planned,
    terminal: io.TextIOWrapper,
    logged: list[str],
    ui: str,
    views: tuple[str, ...],
    tables: str,
) -> None:
    assert planned(ui, terminal, tables=tables) == views
    assert logged == []


@pytest.mark.parametrize(
    ("ui", "tables", "warned"),
    [("auto", "", False), ("plain", VIEW, False), ("live", "", True), ("auto", VIEW, True)],
)
def test_elsewhere_the_reason_is_given_to_who_asked(
    planned: Planned,
    terminal: io.TextIOWrapper,
    logged: list[str],
    ui: str,
    tables: str,
    warned: bool,
) -> None:
    assert planned(ui, io.StringIO(), tables=tables) == ()
    assert planned(ui, terminal, log_json=True, tables=tables) == ()
    expected = [
        "the live view is not shown: standard error: it is not a terminal",
        "the live view is not shown: the log is written as JSON",
    ]
    assert logged == (expected if warned else [])


def test_readings_on_the_same_terminal_leave_no_place_for_it(
    planned: Planned, terminal: io.TextIOWrapper, logged: list[str]
) -> None:
    out = terminal.fileno()
    assert planned("auto", terminal, overrides=STDOUT, stdout=out) == ()
    assert logged == []
    assert planned("live", terminal, overrides=STDOUT, stdout=out) == ()
    assert logged == ["the live view is not shown: readings are written to the same terminal"]


def test_readings_in_a_file_or_a_pipe(
    planned: Planned, terminal: io.TextIOWrapper, tmp_path: Path
) -> None:
    with (tmp_path / "out").open("w") as file:
        assert planned("auto", terminal, overrides=STDOUT, stdout=file.fileno()) == ("terminal",)
    reader, writer = os.pipe()
    # The reader of a pipe may write to the terminal: only who asks gets the view.
    assert planned("auto", terminal, overrides=STDOUT, stdout=writer) == ()
    assert planned("live", terminal, overrides=STDOUT, stdout=writer) == ("terminal",)
    os.close(reader)
    os.close(writer)


def test_another_word_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="'fancy' is not one of auto, live, plain, none"):
        UiChoice("fancy", log_json=False)
