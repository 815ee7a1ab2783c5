"""A run as a program uses it: no command line, no signal, no text."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import gridsim
from gridsim.api import (
    Acknowledgement,
    Batch,
    Command,
    Inbox,
    Receipt,
    Settings,
    Source,
    Target,
)
from gridsim.config.resolve import Flags
from gridsim.contracts.part_status import InstructionStatus
from gridsim.contracts.results import Episode, TickResult
from gridsim.errors import PluginError, UsageError
from gridsim.ledger import Reader
from gridsim.running.parts import PlannedSource
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from gridsim.running.subscription import FACTS, Subscription, joined
from gridsim.testing import make_run

DEADLINE_S = 60.0

CONFIG = """
[simulation]
seed = 42
speed = 0
start = 2026-06-21T15:00:00Z

[[projects]]
id = "HOME"
load = { type = "constant", kw = 2.5 }

[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0

[[projects.ders]]
id = "GEN"
type = "generator"
nameplate_capacity = 5.0

[[transports]]
type = "file"
path = "OUT/out.jsonl"
"""

Make = Callable[..., Run]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(
        *, ticks: str | None = None, speed: float | None = None, manual: bool = True, more: str = ""
    ) -> Run:
        path = tmp_path / "config.toml"
        path.write_text((CONFIG + more).replace("OUT", str(tmp_path)))
        options = Options(config=path, duration=ticks, flags=Flags(speed=speed))
        return Run(make_plan(options), clock="manual" if manual else "real")

    return make


def lines(tmp_path: Path) -> list[str]:
    return (tmp_path / "out.jsonl").read_text().splitlines()


def test_the_manual_clock_runs_the_ticks_that_it_is_told(make: Make, tmp_path: Path) -> None:
    with make() as run:
        assert run.status().state == "running"
        assert run.advance(0) == 0
        assert run.advance() == 1
        assert run.advance(4) == 4
        assert run.status().tick == 5
    status = run.status()
    assert (status.state, status.readings, status.error) == ("ended", 10, "")
    assert len(lines(tmp_path)) == 10
    [file] = status.transports
    assert (file.accepted, file.delivered, file.pending) == (10, 10, 0)
    assert not run.hung


def test_it_advances_no_further_than_its_end(make: Make) -> None:
    with make(ticks="3s") as run:
        assert run.advance(2) == 2
        assert not run.wait(0)
        assert run.advance(5) == 1
        assert run.wait(DEADLINE_S)
        assert run.advance(1) == 0
    assert run.status().tick == 3


@pytest.mark.parametrize("state", ["new", "ended"])
def test_only_a_running_run_advances(make: Make, state: str) -> None:
    run = make()
    if state == "ended":
        run.start()
        run.stop()
    with pytest.raises(RuntimeError, match=f"but this run is {state}"):
        run.advance()
    run.plan.close()


def test_a_run_starts_once_and_stops_as_often_as_one_likes(make: Make) -> None:
    run = make()
    run.start()
    with pytest.raises(RuntimeError, match="starts once"):
        run.start()
    run.stop()
    run.stop()
    assert run.status().state == "ended"


def test_advance_is_for_the_manual_clock(make: Make) -> None:
    with make(manual=False, ticks="3s") as run, pytest.raises(RuntimeError, match="manual clock"):
        run.advance()
    with make() as run, pytest.raises(ValueError, match="at least 0, not -1"):
        run.advance(-1)


def test_at_speed_0_it_ends_by_itself(make: Make, tmp_path: Path) -> None:
    with make(manual=False, ticks="50s") as run:
        assert run.wait(DEADLINE_S)
    assert run.status().tick == 50
    assert len(lines(tmp_path)) == 100


def test_stop_cuts_an_endless_run_short_and_keeps_the_account(make: Make, tmp_path: Path) -> None:
    seen = threading.Event()
    run = make(manual=False)
    run.subscribe(lambda result: seen.set() if result.tick >= 20 else None)
    with run:
        assert seen.wait(DEADLINE_S)
        assert not run.wait(0)
    status = run.status()
    [file] = status.transports
    assert status.tick >= 20
    assert file.accepted == status.readings == file.delivered + file.dropped_total
    assert len(lines(tmp_path)) == file.delivered


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
    assert subscription.error.startswith("OSError: no paper (test_run.py:")
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


def test_the_status_says_what_flows(make: Make) -> None:
    with make() as run:
        before = run.status()
        assert (before.load_kw, before.output_kw) == (0.0, {"generator": 0.0, "solar": 0.0})
        run.advance(3)
        status = run.status()
    assert status.load_kw == 2.5
    assert status.output_kw["solar"] > 1.0
    assert status.net_kw == pytest.approx(2.5 - sum(status.output_kw.values()))
    assert status.time_ms == status.start_ms + 3000
    assert (status.projects, status.devices, status.seed) == (1, 2, 42)
    record = json.loads(json.dumps(status.to_dict()))
    assert record["transports"][0]["name"] == "file"
    assert record["net_kw"] == pytest.approx(status.net_kw)


def test_a_run_ends_with_what_ended_it(make: Make, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(
        "from gridsim.api import Device, hookimpl\n"
        "class Odd(Device):\n"
        "    def step(self, tick):\n"
        "        assert tick.index < 2, 'worn out'\n"
        "        return 1.0\n"
        "@hookimpl\n"
        "def gridsim_register(register):\n"
        "    register.der('odd', Odd)\n"
    )
    path = tmp_path / "odd.toml"
    text = CONFIG.replace('type = "generator"', 'type = "odd"').replace("OUT", str(tmp_path))
    path.write_text(text.replace("[simulation]", '[simulation]\nplugins = ["odd.py"]'))
    run = Run(make_plan(Options(config=path)))
    with run:
        assert run.wait(DEADLINE_S)
    assert "the DER type 'odd' failed at tick 2" in run.status().error
    assert run.status().tick == 2
    run = Run(make_plan(Options(config=path)), clock="manual")
    with run, pytest.raises(PluginError, match="the DER type 'odd' failed at tick 2"):
        run.advance(5)


def on_full(run: Run) -> list[str]:
    return [runner._policy.on_full for runner in run._workers.runners]


def test_the_default_rule_for_a_full_queue_follows_the_speed(make: Make) -> None:
    with make(manual=False, speed=1000.0) as run:
        assert on_full(run) == ["block"]
        assert run.status().wake_s == 0.05
        run.set_speed(0)
        assert on_full(run) == ["block"]
        assert run.status().wake_s == 0.0
        run.set_speed(1)
        assert on_full(run) == ["drop_oldest"]
        assert run.status().wake_s == 1.0
        run.set_speed(1.001)
        assert on_full(run) == ["block"]
        run.set_speed(0.5)
        assert on_full(run) == ["drop_oldest"]
    with make() as run:
        assert on_full(run) == ["block"]


def test_a_rule_that_the_configuration_states_stays(make: Make) -> None:
    with make(manual=False, speed=1000.0, more='on_full = "drop_newest"\n') as run:
        run.set_speed(0)
        assert on_full(run) == ["drop_newest"]
    with make(manual=False, more='on_full = "block"\n') as run:
        with pytest.raises(ValueError, match="transport file has on_full = 'block'"):
            run.set_speed(1)
        assert run.status().speed == 0


@pytest.mark.parametrize("speed", [-1.0, 0.0009, 1e6 + 1, float("nan"), float("inf")])
def test_a_speed_that_no_run_has_is_refused(make: Make, speed: float) -> None:
    with make() as run, pytest.raises(ValueError, match=r"speed must be 0, or from 0\.001"):
        run.set_speed(speed)


def test_a_run_goes_on_as_fast_as_it_can_and_ends(make: Make, tmp_path: Path) -> None:
    seen = threading.Event()
    run = make(manual=False, speed=1.0, ticks="500s")
    run.subscribe(lambda result: seen.set())
    with run:
        assert seen.wait(DEADLINE_S)
        run.set_speed(0)
        assert run.wait(DEADLINE_S)
    assert run.status().tick == 500
    assert len(lines(tmp_path)) == 1000


def test_a_paused_run_stands_still_and_keeps_its_connections(make: Make, tmp_path: Path) -> None:
    seen = threading.Event()
    run = make(manual=False, ticks="600s")
    run.subscribe(lambda result: seen.set() if result.tick >= 10 else None)
    with run:
        assert seen.wait(DEADLINE_S)
        run.pause()
        status = run.status()
        if status.tick < 600:
            assert status.state == "paused"
            assert not run.wait(0.05)
        assert run.status().tick == status.tick
        assert run.status().transports[0].state == "up"
        assert run.status().transports[0].target == run.plan.transports[0].transport.describe()
        run.resume()
        assert run.wait(DEADLINE_S)
    assert run.status().tick == 600
    assert len(lines(tmp_path)) == 1200


def test_it_goes_on_after_every_pause_at_every_speed(make: Make) -> None:
    seen = threading.Event()
    run = make(manual=False, ticks="600s")
    run.subscribe(lambda result: seen.set())
    with run:
        assert seen.wait(DEADLINE_S)
        for speed in (0, 1e6, 0, 1000, 0):
            run.pause()
            run.resume()
            run.set_speed(speed)
        run.pause()
        run.set_speed(1)
        run.set_speed(0)
        run.resume()
        assert run.wait(DEADLINE_S)
    assert run.status().tick == 600


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


def test_a_run_that_is_over_takes_no_instruction(make: Make) -> None:
    command = gridsim.Command(gridsim.Target("HOME", "GEN"), "c-1", "disconnect")
    with make() as run:
        assert run.post(command) is True
        run.advance()
    assert run.post(command) is False
    assert run.status().instructions == InstructionStatus(waiting=0, received=1, rejected=0)


def test_nobody_waits_for_a_run_that_has_not_started(make: Make) -> None:
    run = make()
    with pytest.raises(RuntimeError, match="a run that has started"):
        run.wait(0)
    run.stop()
    assert run.status().state == "ended"


def test_a_start_that_fails_releases_everything(make: Make, tmp_path: Path) -> None:
    run = make(more=f'[ledger]\npath = "{tmp_path}/ledger.sqlite"\n')
    (tmp_path / "ledger.sqlite").write_text("mine")
    with pytest.raises(UsageError, match=r"ledger\.sqlite"), run:
        pass
    assert run.status().state == "ended"
    assert (tmp_path / "ledger.sqlite").read_text() == "mine"


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


class Letters(Source[Settings]):
    """A source that posts one command and keeps its answers."""

    answered = threading.Event()

    def describe(self) -> str:
        return "letters"

    def connect(self) -> None:
        self.sent = False

    def serve(self, inbox: Inbox, timeout_s: float) -> None:
        if not self.sent:
            self.sent = True
            inbox.post(gridsim.Command(gridsim.Target("HOME", "GEN"), "c-1", "disconnect"))

    def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        self.answered.set()

    def close(self) -> None:
        """Release nothing."""


def test_the_status_counts_what_a_source_posted_and_was_answered(make: Make) -> None:
    run = make()
    plan = replace(run.plan, sources=(PlannedSource("letters", Letters(Settings(), make_run())),))
    with Run(plan, clock="manual") as run:
        until = time.monotonic() + DEADLINE_S
        while not run.status().instructions.waiting:
            assert time.monotonic() < until
        [source] = run.status().sources
        assert (source.name, source.posted, source.unanswered) == ("letters", 1, 1)
        run.advance()
        assert Letters.answered.wait(DEADLINE_S)
    [source] = run.status().sources
    assert (source.posted, source.refused, source.unanswered, source.waiting) == (1, 0, 0, 0)
    assert (source.acknowledged, source.undelivered, source.state) == (1, 0, "closed")


def test_confirm_waits_for_the_transports_and_the_ledger(make: Make, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    with make(more=f"\n[ledger]\npath = {json.dumps(str(ledger))}\n") as run:
        for ticks in (3, 1):
            run.advance(ticks)
            assert run.confirm()
            [file] = run.status().transports
            with Reader(ledger) as reader:
                assert not reader.complete
                [(rows,)] = reader.rows("SELECT sum(rows) FROM batches")
                [(delivered,)] = reader.rows("SELECT count(*) FROM fates")
            assert (file.pending, file.delivered, rows) == (0, rows, 2 * run.status().tick)
            assert delivered
        assert run.confirm()


def test_confirm_gives_up_on_a_transport_that_makes_no_progress(make: Make) -> None:
    run = make()
    free = threading.Event()
    transport = run.plan.transports[0].transport
    write = transport.write

    def wait(batch: Batch, receipt: Receipt) -> None:
        assert free.wait(DEADLINE_S)
        write(batch, receipt)

    transport.write = wait  # type: ignore[method-assign]
    with run:
        run.advance()
        assert not run.confirm(timeout_s=0.01)
        free.set()
        assert run.confirm()


def test_it_waits_for_instructions(make: Make) -> None:
    with make() as run:
        assert not run.wait_for_instructions(1, 0.001)
        posting = threading.Timer(0.01, run.post, [Command(Target("HOME", "GEN"), "c", "connect")])
        posting.start()
        assert run.wait_for_instructions(1, DEADLINE_S)
        posting.join()
        run.advance()
        assert not run.wait_for_instructions(1, 0.001)


def test_a_copy_of_its_simulation_goes_on_by_itself(make: Make) -> None:
    seen: list[TickResult] = []
    with make() as run:
        run.subscribe(seen.append)
        assert run.copy_simulation().next_tick == 0
        run.advance(2)
        copied = run.copy_simulation()
        batch = copied.advance([]).batch
        assert (run.status().tick, copied.next_tick) == (2, 3)
        run.advance(1)
    assert seen[2].batch.current_output.tolist() == batch.current_output.tolist()
    with make(manual=False) as other, pytest.raises(RuntimeError, match="needs the manual clock"):
        other.copy_simulation()
