"""The verdict on a run's rate."""

from __future__ import annotations

from typing import cast

import pytest

from gridsim.delivery import Counters, Timing
from gridsim.delivery.runner import Runner
from gridsim.running.engine import Engine, Pace
from gridsim.running.pace import behind_now, is_held, shortfall_lines


class FakeEngine:
    """What the verdict looks at; the engine's own numbers are tested with the engine."""

    interval_s = wake_s = 1.0

    def __init__(self, ticks: int, late: int, behind: float = 0.0) -> None:
        self.pace = Pace(ticks=ticks, late_ticks=late, worst_s=2.5, stepping_s=7.0)
        self._behind = behind

    def behind_s(self) -> float:
        return self._behind


class FakeRunner:
    name = "mqtt"
    encoding_s = 3.0

    def __init__(self, *, late: int = 0, dropped: int = 0, behind: float = 0.0) -> None:
        self.timing = Timing(writing=20.0, computing=5.0, late_batches=late)
        self.timing.settled.extend([0.1] * 100)
        self._counters = Counters()
        self._counters.dropped["queue full"] = dropped
        self._behind = behind

    def counters(self) -> Counters:
        return self._counters

    def behind_s(self) -> float:
        return self._behind


def pair(engine: FakeEngine, runner: FakeRunner) -> tuple[Engine, list[Runner]]:
    return cast(Engine, engine), [cast(Runner, runner)]


@pytest.mark.parametrize(
    ("engine", "runner", "held"),
    [
        (FakeEngine(100, 1), FakeRunner(late=1), True),
        (FakeEngine(100, 2), FakeRunner(), False),
        (FakeEngine(100, 0), FakeRunner(late=2), False),
        (FakeEngine(100, 0), FakeRunner(dropped=1), False),
    ],
)
def test_one_in_a_hundred_may_be_late_and_none_dropped(
    engine: FakeEngine, runner: FakeRunner, held: bool
) -> None:
    assert is_held(*pair(engine, runner)) is held


def test_the_slowest_part_is_named() -> None:
    lines = list(shortfall_lines(*pair(FakeEngine(100, 60), FakeRunner(late=50, dropped=9))))
    assert "60 of 100 ticks came late, the worst by 2.5 s" in lines[0]
    assert "50 batches late" in lines[1]
    assert "dropped 9 readings" in lines[1]
    assert lines[2] == (
        "the slowest part was mqtt far end; time spent: mqtt far end 15.0 s, models 7.0 s, "
        "mqtt encoding 3.0 s, mqtt transport 2.0 s"
    )


def test_the_live_line_says_what_is_behind() -> None:
    assert behind_now(*pair(FakeEngine(9, 0, 0.9), FakeRunner(behind=1.0))) == ""
    assert behind_now(*pair(FakeEngine(9, 0, 3.0), FakeRunner(behind=1.5))) == (
        "ticks 3.0 s, mqtt 1.5 s"
    )
