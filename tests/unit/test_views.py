"""Views as plugins: their table, their place in a run, and a view that misbehaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Command, Control, RunStatus, Target
from gridsim.config.text.report import ConfigError
from gridsim.running.monitor import Monitor
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from gridsim.running.views import Views
from gridsim.testing import RecordingControl
from gridsim.text.status import hanging_lines

DEADLINE_S = 60.0

PLUGIN = '''
"""A view that keeps what it is shown, and raises or waits where its settings say so."""

import threading

from gridsim.api import Settings, View, hookimpl
from pydantic import Field


class Kept(View):
    """Keeps snapshots. For tests."""

    class Settings(Settings):
        fails: str = Field("", description="the method that raises")
        waits: str = Field("", description="the method that does not return")
        title: str = Field("", description="a title")

    def __init__(self, settings, run):
        super().__init__(settings, run)
        if settings.fails == "init":
            raise ValueError("'title' is taken")
        self.snapshots, self.calls = [], []
        self.changed = threading.Condition()
        self.release = threading.Event()

    def describe(self):
        return f"kept as {self.settings.title}"

    def start(self, control):
        self.control = control
        self._note("start")

    def show(self, snapshot):
        with self.changed:
            self.snapshots.append(snapshot)
            self.changed.notify_all()
        self._note("show")

    def close(self):
        self._note("close")

    def _note(self, method):
        with self.changed:
            self.calls.append(method)
            self.changed.notify_all()
        if self.settings.fails == method:
            raise RuntimeError(f"no {method}")
        if self.settings.waits == method:
            self.release.wait()


@hookimpl
def gridsim_register(register):
    register.view("kept", Kept)
'''

CONFIG = """
[simulation]
speed = 0
start = 2026-06-21T15:00:00Z
plugins = ["kept.py"]

[[projects]]
id = "HOME"
load = { type = "constant", kw = 2.5 }

[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0

[[transports]]
type = "file"
path = "out.jsonl"
"""

Make = Callable[..., Run]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(*views: str, overrides: tuple[str, ...] = (), clock: Any = "manual") -> Run:
        (tmp_path / "kept.py").write_text(PLUGIN)
        path = tmp_path / "config.toml"
        tables = "".join(f'[[views]]\ntype = "kept"\n{view}\n' for view in views)
        path.write_text(CONFIG + tables)
        return Run(make_plan(Options(config=path, overrides=overrides)), clock=clock)

    return make


def view_of(run: Run, number: int = 0) -> Any:
    return run.plan.views[number].view


def wait_until(view: Any, is_true: Callable[[], bool]) -> None:
    with view.changed:
        assert view.changed.wait_for(is_true, DEADLINE_S)


def test_a_view_starts_before_the_first_tick_and_is_shown_the_end(make: Make) -> None:
    run = make("title = 'A'")
    run.start()
    view = view_of(run)
    assert view.calls[:1] == ["start"]
    assert view.control.status().tick == 0
    assert view.control.roster.der_id == ["PV"]
    run.advance(3)
    wait_until(view, lambda: any(s.tick == 2 for s in view.snapshots))
    [status] = run.status().views
    assert (status.name, status.state, status.where) == ("kept", "up", "kept as A")
    run.stop()
    last = view.snapshots[-1]
    assert (last.status.state, last.tick, last.status.tick) == ("ended", 2, 3)
    assert last.status.transports[0].delivered == 3
    assert view.calls[-2:] == ["show", "close"]
    assert run.status().views[0].state == "closed"
    assert not run.hung


def test_a_run_without_views_makes_nothing(make: Make) -> None:
    with make() as run:
        run.advance(1)
        assert run.status().views == ()
        assert not [one for one in threading.enumerate() if one.name == "views"]


@pytest.mark.parametrize("method", ["start", "show", "close"])
def test_a_view_that_raises_is_disabled_and_the_others_go_on(make: Make, method: str) -> None:
    run = make(f"fails = '{method}'", "")
    run.start()
    bad, good = view_of(run, 0), view_of(run, 1)
    run.advance(2)
    wait_until(good, lambda: any(s.tick == 1 for s in good.snapshots))
    run.stop()
    first, second = run.status().views
    assert (second.name, second.state) == ("kept#2", "closed")
    assert good.snapshots[-1].status.state == "ended"
    assert bad.calls[-1] == "close"
    assert bad.calls.count(method) == 1
    if method != "close":
        assert first.state == "disabled"
        assert first.error.startswith(f"{method}: RuntimeError: no {method}")
    assert run.error is None
    assert not run.hung


def test_views_go_on_after_a_snapshot_that_cannot_be_made(
    make: Make, log_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with make("") as run:
        view, monitor = view_of(run), run._viewing.monitor
        assert isinstance(monitor, Monitor)
        asked = threading.Semaphore(0)

        def fails() -> RunStatus:
            asked.release()
            raise RuntimeError("no status")

        monkeypatch.setattr(monitor, "_status", fails)
        for _ in range(2):
            run.advance(1)
            assert asked.acquire(timeout=DEADLINE_S)
        monkeypatch.undo()
        run.advance(1)
        wait_until(view, lambda: any(s.tick == 2 for s in view.snapshots))
    [error] = [line for line in log_lines if line.startswith("ERROR")]
    assert error.startswith("ERROR there is no new snapshot for views: RuntimeError: no status")


@pytest.mark.parametrize("method", ["show", "close"])
def test_a_view_that_hangs_does_not_hold_up_the_end(make: Make, method: str) -> None:
    run = make(f"waits = '{method}'")
    run.start()
    view = view_of(run)
    run.advance(1)
    if method == "show":
        wait_until(view, lambda: "show" in view.calls)
    run.request_stop(0.0)
    run.stop()
    assert run.status().state == "ended"
    assert run.hung
    view.release.set()


def test_a_view_that_hangs_is_named(make: Make) -> None:
    run = make("waits = 'show'", overrides=("simulation.hang_timeout_s=0.1",))
    run.start()
    view = view_of(run)
    run.advance(1)
    deadline = time.monotonic() + DEADLINE_S
    while not run.hanging() and time.monotonic() < deadline:
        run.wait(0.02)
    assert run.hanging() == {"view kept": "show"}
    assert run.status().views[0].hanging == "show"
    assert list(hanging_lines({}, run.hanging(), 0.1)) == [
        "view kept hangs: no progress in show() for 0.1 s. The run continues, and the other views "
        "wait"
    ]
    view.release.set()
    run.stop()
    assert run.hanging() == {}


def test_the_first_tick_does_not_wait_for_a_view_that_hangs(make: Make) -> None:
    run = make("waits = 'start'")
    planned, stopping = run.plan.views, threading.Event()
    monitor = Monitor(run.plan.configuration.scenario, run.status)
    views = Views(planned, RecordingControl(), monitor, lambda: 0)
    views.start(stopping, 0.05)
    assert views.status(60.0)[0].state == "starting"
    view_of(run).release.set()
    assert views.close(DEADLINE_S)
    assert views.status(60.0)[0].state == "closed"
    run.plan.close()


def test_a_view_controls_the_run(make: Make) -> None:
    run = make("")
    run.start()
    control: Control = view_of(run).control
    control.pause()
    assert run.status().state == "paused"
    control.resume()
    assert run.status().state == "running"
    control.set_speed(60.0)
    assert control.status().speed == 60.0
    with pytest.raises(ValueError, match="speed must be 0, or from "):
        control.set_speed(-1.0)
    assert control.post(Command(Target("HOME", "PV"), "c-1", "disconnect"))
    run.advance(1)
    assert run.status().instructions.received == 1
    run.stop()


def test_a_running_run_pauses_and_goes_on(make: Make) -> None:
    run = make("", clock="real")
    run.start()
    view = view_of(run)
    control: Control = view.control
    control.pause()
    at = control.status().tick
    wait_until(view, lambda: any(s.status.state == "paused" for s in view.snapshots))
    assert control.status().tick == at
    control.set_speed(0.0)
    control.resume()
    wait_until(view, lambda: any(s.tick > at for s in view.snapshots))
    run.stop()


def test_set_changes_a_view(make: Make) -> None:
    run = make("", overrides=("views.0.title='B'",))
    assert view_of(run).settings.title == "B"
    run.plan.close()


def test_defaults_of_a_type_reach_its_views(make: Make) -> None:
    run = make("[defaults.kept]\ntitle = 'C'")
    assert view_of(run).settings.title == "C"
    run.plan.close()


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ("titel = 'x'", "'titel' is not a setting of the kept view; did you mean 'title'?"),
        ("fails = 'init'", "'title' is taken"),
        ("[[views]]\ntype = 'wbe'", "there is no view 'wbe'; there are: "),
        ("[[views]]\ntitle = 'x'", "'type' is missing: "),
        ("[defaults.kept]\ntitel = 1", "'titel' is not a setting of the kept view"),
    ],
)
def test_errors_of_a_view_are_at_their_place(make: Make, view: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(view)
    assert message in str(caught.value)
    assert "config.toml:" in str(caught.value)
