"""The names that a program imports from `gridsim`."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import gridsim
from gridsim.errors import UsageError

ROOT = Path(__file__).parents[2]


def test_every_public_name_is_there() -> None:
    for name in gridsim.__all__:
        assert getattr(gridsim, name) is not None
        assert name in dir(gridsim)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'gridsim' has no attribute 'walk'"):
        gridsim.walk  # noqa: B018


def test_the_public_names_are_these() -> None:
    """A name may be added here; see the promise in the docstring of the package."""
    assert sorted(gridsim.__all__) == [
        "Acknowledgement",
        "CallEvent",
        "CancelEvent",
        "ClearFault",
        "ColumnTable",
        "Command",
        "GridsimError",
        "InjectFault",
        "Period",
        "PluginError",
        "Readings",
        "Refused",
        "Run",
        "RunStatus",
        "SentInstruction",
        "Simulator",
        "Subscription",
        "Target",
        "TickResult",
        "Truth",
        "UsageError",
        "__version__",
        "run",
        "simulate",
    ]
    run = inspect.signature(gridsim.Simulator.run)
    assert list(run.parameters) == ["self", "duration", "until", "ticks", "columns", "every"]
    simulate = inspect.signature(gridsim.simulate)
    assert list(simulate.parameters) == ["config", "seed", "start", "overrides", "plugins"]


def test_the_help_of_a_public_name_is_a_reference() -> None:
    for name in ("simulate", "run", "Simulator", "Readings", "Truth"):
        text = pydoc.plain(pydoc.render_doc(getattr(gridsim, name)))
        assert len(text) > 500, name
    text = pydoc.plain(pydoc.render_doc(gridsim.simulate))
    for part in ("Arguments:", "Returns a `Simulator`", "Raises `UsageError`", "kW", "seed: "):
        assert part in text
    assert "simulate(" in pydoc.plain(pydoc.render_doc(gridsim))


def test_the_import_alone_loads_nothing_heavy() -> None:
    code = "import gridsim, sys; print({'numpy', 'pydantic', 'loguru', 'pluggy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_run_takes_the_options_of_the_command_line() -> None:
    run = gridsim.run(
        ROOT / "configs/stdout.toml",
        duration="5s",
        speed=60,
        seed=7,
        start="2026-07-01T00:00:00Z",
        overrides=["simulation.tick_s=2.5"],
        clock="manual",
    )
    status = run.status()
    assert (status.state, status.tick, status.ticks, status.tick_ms) == ("new", 0, 2, 2500)
    assert (status.speed, status.seed, status.start_ms) == (60, 7, 1_782_864_000_000)
    run.plan.close()


def test_run_refuses_what_the_command_line_refuses(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        gridsim.run(tmp_path / "nowhere.toml")
    with pytest.raises(UsageError, match="--duration"):
        gridsim.run(str(ROOT / "configs/stdout.toml"), duration="soon")
