"""Consumers of the results of a run: the results they get, and the calls they cannot make."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from gridsim.contracts.results import Episode, TickResult
from gridsim.running.subscription import FACTS, Subscription, joined
from tests.unit.run.homes import DEADLINE_S, Make


def test_a_queue_gets_every_result_in_order(make: Make) -> None:
    ticks: list[int] = []
    run = make(ticks="40s")
    run.subscribe(lambda result: ticks.append(result.tick))
    with run:
        run.advance(40)
    # The last result is that of the end, which has the index of the tick that never came.
    assert ticks == [*range(40), 40]


def test_a_slow_consumer_of_the_latest_misses_batches_but_no_fact(make: Make) -> None:
    got: list[TickResult] = []
    free, busy = threading.Event(), threading.Event()

    def consume(result: TickResult) -> None:
        busy.set()
        assert free.wait(DEADLINE_S)
        got.append(result)

    fails = """
[[projects]]
id = "ODD"
load = { type = "constant", kw = 1.0 }
[[projects.ders]]
id = "ODD_1"
type = "generator"
nameplate_capacity = 5.0

[[events]]
id = "peak"
projects = ["HOME"]
target_kw = 1.0
after_s = 3
duration_s = 2
"""
    run = make(more=fails)
    subscription = run.subscribe(consume, "latest")
    with run:
        run.advance(1)
        assert busy.wait(DEADLINE_S)
        run.advance(9)
        free.set()
    assert got[0].tick == 0
    assert got[-1].tick == 10
    assert len(got) < 10
    assert [s.event for result in got for s in result.settlements] == ["peak"]
    assert subscription.missed == 0


def test_facts_beyond_the_bound_are_counted(make: Make) -> None:
    with make() as run:
        results: list[TickResult] = []
        run.subscribe(results.append)
        run.advance(1)
    [first, *_] = results

    def episode(number: int) -> Episode:
        return Episode(fault_id=str(number), der_id="PV", start_ms=0, end_ms=1)

    older = replace(first, episodes=tuple(episode(i) for i in range(FACTS - 1)))
    newer = replace(first, tick=1, episodes=(episode(-1),))
    both, missed = joined(older, newer)
    faults = [one.fault_id for one in both.episodes]
    assert (len(faults), faults[0], faults[-1], missed) == (FACTS, "0", "-1", 0)
    both, missed = joined(both, replace(newer, episodes=(episode(-2),)))
    faults = [one.fault_id for one in both.episodes]
    assert (len(faults), faults[0], faults[-1], missed) == (FACTS, "1", "-2", 1)


def test_a_full_queue_drops_the_oldest_results_and_counts_them(make: Make) -> None:
    free, busy = threading.Event(), threading.Event()
    ticks: list[int] = []

    def consume(result: TickResult) -> None:
        busy.set()
        assert free.wait(DEADLINE_S)
        ticks.append(result.tick)

    run = make()
    # Room for one result at a time: one that is larger than the bound fits alone.
    subscription = run.subscribe(consume, queue_mb=1e-6)
    with run:
        run.advance(1)
        assert busy.wait(DEADLINE_S)
        run.advance(9)
        free.set()
    assert ticks == [0, 10]
    assert subscription.dropped == 9


def test_drop_newest_keeps_what_waits(make: Make) -> None:
    free, busy = threading.Event(), threading.Event()
    ticks: list[int] = []

    def consume(result: TickResult) -> None:
        busy.set()
        assert free.wait(DEADLINE_S)
        ticks.append(result.tick)

    run = make()
    subscription = run.subscribe(consume, queue_mb=1e-6, on_full="drop_newest")
    with run:
        run.advance(1)
        assert busy.wait(DEADLINE_S)
        run.advance(3)
        free.set()
    assert ticks[:2] == [0, 1]
    assert subscription.dropped >= 2


def test_stop_wakes_an_offer_that_waits_for_room(make: Make) -> None:
    free, busy = threading.Event(), threading.Event()

    def consume(result: TickResult) -> None:
        busy.set()
        free.wait(DEADLINE_S)

    run = make(manual=False)
    run.subscribe(consume, queue_mb=1e-6, on_full="block")
    run.start()
    assert busy.wait(DEADLINE_S)
    run.request_stop(flush_s=0.0)
    run.stop()
    free.set()
    # Tick 0 is with the consumer, tick 1 in the queue, tick 2 gave up waiting.
    assert run.status().tick <= 4


def test_a_consumer_that_raises_is_disabled_and_the_run_goes_on(make: Make) -> None:
    def consume(result: TickResult) -> None:
        raise OSError("no paper")

    run = make()
    subscription = run.subscribe(consume)
    with run:
        assert run.advance(5) == 5
    assert subscription.error.startswith("OSError: no paper (test_subscribers.py:")
    assert run.status().tick == 5


@pytest.mark.parametrize("what", ["wait", "stop", "advance"])
def test_a_consumer_that_would_wait_for_itself_is_refused(make: Make, what: str) -> None:
    refusals: list[str] = []
    run = make()

    def consume(result: TickResult) -> None:
        try:
            getattr(run, what)()
        except RuntimeError as error:
            refusals.append(str(error))

    run.subscribe(consume)
    with run:
        run.advance(1)
    assert refusals[0] == f"{what}() in a subscriber would wait for itself"


def test_a_closed_subscription_gets_nothing_more(make: Make) -> None:
    ticks: list[int] = []
    subscriptions: list[Subscription] = []

    def consume(result: TickResult) -> None:
        ticks.append(result.tick)
        subscriptions[0].close()

    run = make()
    subscriptions.append(run.subscribe(consume))
    with run:
        run.advance(1)
        assert subscriptions[0].join(DEADLINE_S)
        run.advance(5)
    assert ticks == [0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": "newest"}, "policy must be 'queue' or 'latest'"),
        ({"on_full": "wait"}, "on_full must be drop_oldest, drop_newest or block"),
    ],
)
def test_a_subscription_refuses_what_it_does_not_know(
    make: Make, options: dict[str, str], message: str
) -> None:
    with make() as run, pytest.raises(ValueError, match=message):
        run.subscribe(print, **options)  # type: ignore[arg-type]


def test_only_a_run_without_a_pace_may_wait_for_a_consumer(make: Make) -> None:
    run = make(manual=False, speed=1.0)
    with pytest.raises(ValueError, match="needs speed 0"):
        run.subscribe(print, on_full="block")
    run.plan.close()


def test_a_slow_subscriber_of_a_complete_run_gets_everything(make: Make) -> None:
    free, busy = threading.Event(), threading.Event()
    ticks: list[int] = []

    def consume(result: TickResult) -> None:
        busy.set()
        assert free.wait(DEADLINE_S)
        ticks.append(result.tick)

    run = make(manual=False, ticks="50s")
    run.subscribe(consume)
    run.start()
    assert busy.wait(DEADLINE_S)
    assert run.wait(DEADLINE_S)
    stopping = threading.Thread(target=run.stop)
    stopping.start()
    free.set()
    stopping.join(DEADLINE_S)
    assert ticks == list(range(51))
    assert not run.hung


@pytest.mark.parametrize("what", ["pause", "set_speed"])
def test_a_subscriber_that_the_run_waits_for_cannot_stop_it_between_ticks(
    make: Make, what: str
) -> None:
    refusals: list[str] = []
    run = make()

    def consume(result: TickResult) -> None:
        with pytest.raises(RuntimeError) as refusal:
            run.pause() if what == "pause" else run.set_speed(1)
        refusals.append(str(refusal.value))

    run.subscribe(consume, on_full="block")
    with run:
        run.advance(1)
    assert refusals[0] == f"{what}() in a subscriber with on_full='block' would wait for itself"
