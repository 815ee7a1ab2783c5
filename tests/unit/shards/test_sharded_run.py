"""A run with shards gives the results of one simulation of all projects."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import (
    CallEvent,
    CancelEvent,
    ClearFault,
    Command,
    InjectFault,
    Instruction,
    Target,
    Unreadable,
)
from gridsim.contracts.instructions import FLEET
from gridsim.contracts.results import TickResult
from gridsim.contracts.run_context import Announcement
from gridsim.errors import GridsimError, UsageError
from gridsim.running.plan import Options, Plan, make_plan
from gridsim.running.shards.host import HostedRun
from gridsim.running.shards.messages import (
    ShardHost,
    ShardLostError,
    ShardReport,
    ShardSpec,
    StampedInstruction,
)
from gridsim.running.shards.opening import run_of, shard_bounds
from gridsim.running.shards.process import ProcessHost
from gridsim.running.shards.sharded import ShardedRun
from gridsim.simulation.step import Simulation
from gridsim.text.resumption import gap_lines

CONFIG = """
[simulation]
speed = 0
start = "2026-07-01T17:00:00Z"
duration_s = 40
[weather]
type = "clear"
[[projects]]
id = "H_{n}"
count = 5
contract_threshold = 1.0
[[projects.ders]]
id = "{project_id}_B"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 13.5
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 4.0
[[events]]
id = "E"
after_s = 5
duration_s = 20
randomize_start_s = 8
opt_out = 0.3
[[faults]]
type = "offline"
per_day = 2000
duration_s = 4
[[transports]]
type = "file"
path = "{der_id}.jsonl"
[execution]
engine = "processes"
shards = 3
"""
INSTRUCTIONS: tuple[Instruction, ...] = (
    Command(Target("H_1"), "c1", "limit_export", 1.0, duration_s=6),
    Command(Target("H_5", "H_5_B"), "c2", "set_power", 2.0, start_ms=1782925210000, duration_s=5),
    Command(Target("H_5", "H_5_B"), "c2", "disconnect"),
    Command(Target("H_9"), "c3", "disconnect"),
    Command(Target("H_1", "H_5_B"), "c4", "disconnect"),
    CallEvent(FLEET, "c5", "CALLED", {"projects": ["H_1", "H_5"], "duration_s": 30.0}),
    CallEvent(FLEET, "c6", "TYPO", {"projects": ["H_1", "X_*"], "duration_s": 30.0}),
    CallEvent(FLEET, "c7", "ALL", {"duration_s": 3.0, "after_s": 30.0}),
    CallEvent(Target("H_2"), "c8", "ONE", {"duration_s": 5.0}),
    InjectFault(FLEET, "c9", "F", {"type": "offline", "ders": ["*_PV"], "duration_s": 3.0}),
    InjectFault(Target("H_3"), "c10", "G", {"type": "offline"}),
    ClearFault(FLEET, "c11", "G"),
    ClearFault(FLEET, "c12", "NONE"),
    CancelEvent(FLEET, "c13", "NONE"),
    CancelEvent(FLEET, "c14", "ALL"),
    Unreadable(FLEET, "", "{", "it is not JSON"),
)


class HostsHere:
    """Shards in this process, which need no start of a process."""

    def open(self) -> None: ...

    def make(self, spec: ShardSpec) -> ShardHost:
        return HostedRun(spec, takes_logs=False)

    def close(self) -> None: ...


def plan_in(folder: Path, *overrides: str) -> Plan:
    return make_plan(Options(config=folder / "fleet.toml", content=CONFIG, overrides=overrides))


def sharded(plan: Plan) -> ShardedRun:
    return ShardedRun(plan, HostsHere(), shard_bounds(plan, 3))


def facts(results: Sequence[TickResult]) -> list[object]:
    """Return what happened besides readings, by tick."""
    return [
        (one.tick, name, fact)
        for one in results
        for name in ("acknowledgements", "settlements", "changes", "overloads", "clipped")
        for fact in getattr(one, name)
    ] + [(one.tick, sorted(map(repr, one.episodes))) for one in results]


def simulated(plan: Plan) -> list[TickResult]:
    simulation = Simulation(plan.configuration.scenario)
    results = [simulation.advance(INSTRUCTIONS)]
    results += [simulation.advance() for _ in range(39)]
    return [*results, simulation.finish()]


def test_results_are_those_of_one_simulation(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    results: list[TickResult] = []
    run = sharded(plan)
    run.subscribe(results.append, on_full="block", readings=False)
    for instruction in INSTRUCTIONS:
        assert run.post(instruction)
    with run:
        assert run.wait(30.0)
    assert run.error is None
    assert facts(results) == facts(simulated(plan_in(tmp_path / "other")))
    status = run.status()
    assert (status.state, status.tick, status.devices) == ("ended", 40, 10)
    assert status.instructions.received == len(INSTRUCTIONS)
    [transport] = status.transports
    assert transport.accepted == transport.delivered == status.readings > 0


class MixedHosts(HostsHere):
    """Shards in this process, and one in a child process."""

    child: ProcessHost

    def make(self, spec: ShardSpec) -> ShardHost:
        if "1-of" not in spec.name:
            return super().make(spec)
        self.child = ProcessHost(spec)
        return self.child


def test_a_process_that_is_killed_ends_the_run_by_name(tmp_path: Path) -> None:
    # 40 s in real time.
    plan = plan_in(tmp_path, "simulation.speed=1", "simulation.tick_s=0.1")
    hosts = MixedHosts()
    run = ShardedRun(plan, hosts, shard_bounds(plan, 3), "lockstep")
    with run:
        deadline = time.monotonic() + 60.0
        while run.tick < 2:
            assert time.monotonic() < deadline
            assert not run.wait(0.02)
        hosts.child.kill()
        assert run.wait(30.0)
    pid = hosts.child.pid
    assert f"shard 1-of-3: its process {pid} was ended by signal 9" in str(run.error)
    assert run.status().error == str(run.error)
    [transport] = run.status().transports
    assert transport.accepted == transport.delivered > 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


class LosableRun(HostedRun):
    """A shard in this process that can be lost like a process that is killed."""

    is_lost = False
    is_doomed = False
    """True: it is lost while it starts."""

    def start(self, announced: Mapping[str, Announcement]) -> ShardReport:
        self.is_lost |= self.is_doomed
        self._check_alive()
        return super().start(announced)

    def advance(
        self, until: int, instructions: Sequence[StampedInstruction], since: int, wait_s: float
    ) -> ShardReport:
        self._check_alive()
        return super().advance(until, instructions, since, wait_s)

    def _check_alive(self) -> None:
        if not self.is_lost:
            return
        if not self._ended:
            # A killed process releases its files, and leaves the checkpoint as it is.
            folder = self._spec.options.config.parent / "1-of-3"
            kept = {path: path.read_bytes() for path in folder.iterdir()}
            super().close()
            (folder / "ended").unlink(missing_ok=True)
            for path, data in kept.items():
                path.write_bytes(data)
        raise ShardLostError("shard 1-of-3: gone")


class LosableHosts(HostsHere):
    """Shards of which one, after it was lost, is lost `doomed` times more while it starts."""

    def __init__(self, doomed: int) -> None:
        self.lives: list[LosableRun] = []
        self._doomed = doomed

    def make(self, spec: ShardSpec) -> ShardHost:
        if "1-of" not in spec.name:
            return super().make(spec)
        host = LosableRun(spec, takes_logs=False)
        host.is_doomed = 0 < len(self.lives) <= self._doomed
        self.lives.append(host)
        return host


def lost_shard(folder: Path, doomed: int, spoil: Callable[[], object] = lambda: None) -> Any:
    """Return a run that has ended, whose shard 1 was lost, and the lives of this shard."""
    plan = plan_in(
        folder,
        "simulation.speed=50",
        "simulation.duration_s=100",
        f'checkpoint={{path="{folder}/{{shard}}", every_s=1}}',
    )
    hosts = LosableHosts(doomed)
    run = ShardedRun(plan, hosts, shard_bounds(plan, 3))
    with run:
        deadline = time.monotonic() + 60.0
        while not (report := run.shards[1].report) or not report.status.transports[0].delivered:
            assert time.monotonic() < deadline
            assert not run.wait(0.02)
        spoil()
        hosts.lives[0].is_lost = True
        assert run.wait(30.0)
    return run, hosts.lives


def test_a_shard_is_made_again_up_to_three_times(tmp_path: Path) -> None:
    run, lives = lost_shard(tmp_path, 2)
    assert run.error is None
    assert len(lives) == 4
    status = run.status()
    resumed, [transport] = status.resumed, status.transports
    assert (status.tick, resumed.replaced) == (100, 3)
    assert 0 < resumed.earlier <= status.readings - transport.delivered
    assert f"at least {resumed.earlier} delivered readings" in "".join(gap_lines(status))


def test_a_shard_that_is_lost_three_times_on_the_way_ends_the_run(tmp_path: Path) -> None:
    run, lives = lost_shard(tmp_path, 3)
    assert len(lives) == 4
    assert "shard 1-of-3: gone; its account is not known" in str(run.error)
    [transport] = run.status().transports
    assert transport.accepted == transport.delivered > 0


def test_a_shard_whose_checkpoint_is_damaged_ends_the_run_by_name(tmp_path: Path) -> None:
    def spoil() -> None:
        for path in (tmp_path / "1-of-3").iterdir():
            path.write_bytes(b"damaged")

    run, _ = lost_shard(tmp_path, 0, spoil)
    assert "shard 1-of-3: gone; it cannot be made again: " in str(run.error)
    assert run.error.exit_status == 1
    assert run.status().transports[0].delivered > 0


def test_what_needs_one_process_is_refused(tmp_path: Path) -> None:
    run = sharded(plan_in(tmp_path))
    for method in (run.reload, run.advance, run.save_checkpoint, run.copy_simulation):
        with pytest.raises(GridsimError, match="one process"):
            method()
    with pytest.raises(ValueError, match="readings=False"):
        run.subscribe(print)
    with pytest.raises(UsageError, match="by hand"):
        run_of(plan_in(tmp_path), clock="manual")
    with pytest.raises(UsageError, match="standard output"):
        sharded(plan_in(tmp_path, 'transports=[{type="stdout"}]'))
    with pytest.raises(UsageError, match="at least 6 projects"):
        run_of(plan_in(tmp_path, "execution.shards=6"))
