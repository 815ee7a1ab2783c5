"""The run of a plan, in the processes that `[execution]` asks for."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from gridsim.contracts.shard import Shard, projects_of
from gridsim.errors import UsageError
from gridsim.running.plan import Plan
from gridsim.running.run import ClockKind, Run
from gridsim.running.shards.follower import ShardHosts
from gridsim.running.shards.process import ProcessHosts
from gridsim.running.shards.sharded import ShardedRun, check_one_process

AnyRun = Run | ShardedRun
"""A run in one process, or one with shards."""


def run_of(plan: Plan, *, clock: ClockKind = "real") -> AnyRun:
    """Return the run of a plan. Raises UsageError, PluginError and StateError."""
    engine, options = plan.configuration.execution.engine, plan.options
    if engine == "local" or (options is not None and options.shard is not None):
        return Run(plan, clock=clock)
    if clock == "manual":
        raise UsageError(
            f"[execution] engine: error: {engine!r} has its own clock, but the ticks of this run "
            'are advanced by hand: set engine = "local", which gives the same readings'
        )
    bounds, hosts = _shards_of(plan)
    execution = plan.configuration.execution
    return ShardedRun(
        plan, hosts, bounds, execution.sync, shares_machine=engine != "ray" or not execution.address
    )


def check_shards(plan: Plan) -> None:
    """Raise UsageError if the processes that `[execution]` asks for cannot run a plan.

    It starts nothing, and connects to nothing.
    """
    execution, options = plan.configuration.execution, plan.options
    if execution.engine == "local" or (options is not None and options.shard is not None):
        return
    check_one_process(plan, len(shard_bounds(plan, usable_cores())))
    if execution.engine == "ray":
        from gridsim.running.shards.ray_hosts import RayHosts

        RayHosts(execution.address, 0)


def _shards_of(plan: Plan) -> tuple[list[int], ShardHosts]:
    """Return the index of the first project of each shard, and what makes the shards."""
    execution = plan.configuration.execution
    if execution.engine == "processes":
        return shard_bounds(plan, usable_cores()), ProcessHosts()
    from gridsim.running.shards.ray_hosts import RayHosts

    if execution.address and execution.shards == "auto":
        hosts = RayHosts(execution.address, 0)
        return shard_bounds(plan, hosts.cores()), hosts
    bounds = shard_bounds(plan, usable_cores())
    return bounds, RayHosts(execution.address, len(bounds))


def shard_bounds(plan: Plan, cores: int) -> list[int]:
    """Return the index of the first project of each shard. Raises UsageError."""
    roster = plan.configuration.scenario.roster
    projects = len(roster.project_id)
    wanted = plan.configuration.execution.shards
    count = min(cores, projects) if wanted == "auto" else wanted
    devices = np.bincount(roster.project, minlength=projects).tolist()
    try:
        return [projects_of(Shard(index, count), devices).start for index in range(count)]
    except ValueError as error:
        raise UsageError(f"[execution] shards: error: {error}") from None


def usable_cores() -> int:
    """Return the number of cores that this process may use, also in a container with a limit."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    limit = cpu_limit()
    return cores if limit is None else max(1, min(cores, math.ceil(limit)))


def cpu_limit(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> float | None:
    """Return the limit of processor time of the control group, in cores; None without one.

    The file of cgroup v2 has the time and the period in which it may be used, in us.
    """
    try:
        quota, period = path.read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
