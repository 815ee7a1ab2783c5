"""The pauses between attempts to connect, and the log that does not repeat itself."""

from __future__ import annotations

from gridsim.delivery.backoff import Backoff
from gridsim.delivery.throttle import LogThrottle


def test_pauses_double_to_a_second_and_a_half() -> None:
    bounds: list[tuple[float, float]] = []

    def longest(low: float, high: float) -> float:
        bounds.append((low, high))
        return high

    backoff = Backoff(longest)
    assert backoff.pause_s() == 0.0
    pauses = []
    for _ in range(5):
        backoff.attempt()
        pauses.append(backoff.pause_s())
    assert pauses == [0.4, 0.8, 1.5, 1.5, 1.5]
    assert {low for low, _ in bounds} == {0.2}


def test_a_pause_is_drawn_between_its_bounds() -> None:
    backoff = Backoff()
    backoff.attempt()
    drawn = [backoff.pause_s() for _ in range(200)]
    assert 0.2 <= min(drawn) < max(drawn) <= 0.4
    assert len(set(drawn)) > 100


def test_pauses_stay_bounded_after_very_many_attempts() -> None:
    backoff = Backoff(lambda low, high: high)
    for _ in range(5000):
        backoff.attempt()
    assert backoff.pause_s() == 1.5


def test_after_a_reset_the_first_pause_is_none_and_the_next_the_shortest() -> None:
    backoff = Backoff(lambda low, high: high)
    for _ in range(4):
        backoff.attempt()
    backoff.reset()
    assert backoff.pause_s() == 0.0
    backoff.attempt()
    assert backoff.pause_s() == 0.4


def test_pauses_after_a_permanent_error_double_from_one_second_to_half_a_minute() -> None:
    bounds: list[tuple[float, float]] = []

    def longest(low: float, high: float) -> float:
        bounds.append((low, high))
        return high

    backoff = Backoff(longest)
    backoff.permanent = True
    assert backoff.pause_s() == 0.0
    pauses = []
    for _ in range(7):
        backoff.attempt()
        pauses.append(backoff.pause_s())
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert bounds[0] == (0.5, 1.0)
    assert bounds[-1] == (15.0, 30.0)
    backoff.permanent = False
    assert backoff.pause_s() == 1.5


def test_the_same_cause_is_logged_once_in_ten_seconds(log_lines: list[str]) -> None:
    now = 100.0
    throttle = LogThrottle(lambda: now)

    def lose(cause: str) -> None:
        throttle.log("WARNING", "{} lost: {}", "mqtt", cause, cause=cause)

    lose("refused")
    now = 109.999
    lose("refused")
    assert log_lines == ["WARNING mqtt lost: refused\n"]
    lose("wrong password")
    assert log_lines[1:] == ["WARNING mqtt lost: wrong password\n"]
    now = 110.0
    lose("refused")
    lose("wrong password")
    lose("refused")
    assert log_lines[2:] == ["WARNING mqtt lost: refused\n"]


def test_another_message_for_the_same_cause_is_logged(log_lines: list[str]) -> None:
    throttle = LogThrottle(lambda: 0.0)
    throttle.log("WARNING", "cannot connect", cause="refused")
    throttle.log("INFO", "lost the connection", cause="refused")
    assert log_lines == ["WARNING cannot connect\n", "INFO lost the connection\n"]


def test_braces_in_a_value_mean_nothing(log_lines: list[str]) -> None:
    LogThrottle(lambda: 0.0).log("WARNING", "lost: {}", "{0} {name}", cause="{0} {name}")
    assert log_lines == ["WARNING lost: {0} {name}\n"]


def test_causes_without_end_do_not_fill_the_log(log_lines: list[str]) -> None:
    now = 0.0
    throttle = LogThrottle(lambda: now)
    for number in range(1000):
        throttle.log("WARNING", "{}", number, cause=str(number))
    assert len(log_lines) == 100
    now = 10.0
    throttle.log("WARNING", "new", cause="new")
    assert log_lines[100:] == ["WARNING new\n"]
