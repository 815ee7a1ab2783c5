"""The status of a run, merged from those of its shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from gridsim.contracts.part_status import CheckpointStatus, LedgerStatus, ResumeStatus
from gridsim.contracts.status import RunStatus
from gridsim.running.board import Board
from gridsim.running.plan import Plan
from gridsim.running.shards.messages import ShardReport


def merged(
    plan: Plan, reports: Sequence[ShardReport], board: Board, waiting: int, earlier: int
) -> RunStatus:
    """Return the status of a run from the newest report of each shard.

    `board` has the events and the instructions, which are joined over shards, `waiting` is the
    number of instructions that wait for their tick, and `earlier` that of the readings that lost
    lives of the shards had delivered at least.
    """
    statuses = [report.status for report in reports]
    if not statuses:
        return _nothing(plan)
    status = reduce(RunStatus.merge, statuses)
    ledgers = [one.ledger for one in statuses if one.ledger is not None]
    ledger = None
    if ledgers and plan.ledger is not None:
        ledger = LedgerStatus(
            str(plan.ledger.path),
            max(one.waited_s for one in ledgers),
            next((one.error for one in ledgers if one.error), ""),
        )
    kept = [one.checkpoint for one in statuses if one.checkpoint is not None]
    checkpoint = None
    if kept and plan.checkpoint is not None:
        checkpoint = CheckpointStatus(
            str(plan.checkpoint.path),
            min(one.tick for one in kept),
            next((one.error for one in kept if one.error), ""),
        )
    tick = min(report.tick for report in reports)
    return replace(
        status,
        tick=tick,
        ticks=plan.ticks,
        late_ticks=max(one.late_ticks for one in statuses),
        wake_s=max(one.wake_s for one in statuses),
        instructions=board.instructions(waiting),
        events=board.events(),
        timezone=plan.configuration.timezone,
        ledger=ledger,
        checkpoint=checkpoint,
        resumed=_resumed(
            [one.resumed for one in statuses if one.resumed is not None],
            sum(report.life for report in reports),
            earlier,
        ),
    )


def _resumed(parts: Sequence[ResumeStatus], replaced: int, earlier: int) -> ResumeStatus | None:
    """Return what shards that were made again have in common: all their readings and ticks."""
    if not parts:
        return None
    return replace(
        parts[0],
        tick=min(one.tick for one in parts),
        handed_on=min(one.handed_on for one in parts),
        present=max(one.present for one in parts),
        again=sum(one.again for one in parts),
        missed=sum(one.missed for one in parts),
        lost=sum(one.lost for one in parts),
        caught_up=all(one.caught_up for one in parts),
        replaced=replaced,
        earlier=earlier,
    )


def _nothing(plan: Plan) -> RunStatus:
    """Return the status before any shard has reported."""
    configuration = plan.configuration
    roster = configuration.scenario.roster
    return RunStatus(
        state="new",
        start_ms=configuration.start_ms,
        tick_ms=configuration.tick_ms,
        ticks=plan.ticks,
        tick=0,
        speed=configuration.simulation.speed,
        seed=configuration.simulation.seed,
        projects=len(roster.project_id),
        devices=len(roster),
        timezone=configuration.timezone,
        ticking=False,
    )
