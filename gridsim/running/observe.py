"""The reading of a run's status from its parts."""

from __future__ import annotations

from collections.abc import Sequence

from gridsim.contracts.latency import LatencySketch
from gridsim.contracts.part_status import FaultStatus, SourceStatus, TransportStatus
from gridsim.contracts.status import RunStatus
from gridsim.delivery import Runner
from gridsim.running.board import Board
from gridsim.running.engine import Engine
from gridsim.sources import SourceWorker


def observe(
    engine: Engine,
    runners: Sequence[Runner],
    sources: Sequence[SourceWorker],
    board: Board,
    hang_timeout_s: float,
) -> RunStatus:
    """Return the status of an engine, its runners, its sources and the results so far.

    A transport or source counts as hanging after `hang_timeout_s`.
    """
    simulation, pace = engine.simulation, engine.pace
    two_ticks_s = 2 * max(engine.interval_s, 1.0)
    return RunStatus(
        state="ended" if engine.finished.is_set() else "running",
        start_ms=simulation.start_ms,
        tick_ms=simulation.tick_ms,
        ticks=None,
        tick=engine.tick,
        speed=0.0 if engine.schedule.backfill is not None else engine.speed,
        seed=0,
        projects=len(simulation.roster.project_id),
        devices=len(simulation.roster),
        readings=engine.readings,
        stepping_s=pace.stepping_s,
        late_ticks=pace.late_ticks,
        worst_lag_s=pace.worst_s,
        behind_s=engine.behind_s(),
        wake_s=engine.schedule.promised_wake_s,
        lag=LatencySketch.of(pace.recent),
        holding_up=engine.stuck_in(two_ticks_s),
        ticking=engine.is_ticking(two_ticks_s),
        output_kw=board.output_kw(),
        load_kw=board.load_kw(),
        instructions=board.instructions(engine.waiting),
        events=board.events(),
        faults=_faults(engine, board.episodes),
        transports=tuple(_transport(runner, hang_timeout_s) for runner in runners),
        sources=tuple(source_status(source, hang_timeout_s) for source in sources),
        failures=tuple(simulation.failures),
        clipped=simulation.clipped,
        fuse_overloads=simulation.fuse_overloads,
    )


def _faults(engine: Engine, episodes: int) -> FaultStatus | None:
    tally = engine.simulation.tally
    if tally is None:
        return None
    return FaultStatus(
        readings=tally.taken,
        affected=tally.affected,
        lost=tally.lost,
        late=tally.late,
        altered=tally.altered,
        repeated=tally.repeated,
        episodes=episodes,
    )


def source_status(worker: SourceWorker, hang_timeout_s: float) -> SourceStatus:
    """Return the status of a source; it hangs after `hang_timeout_s`."""
    counters = worker.counters()
    return SourceStatus(
        name=worker.name,
        state=worker.state,
        error=worker.error or "",
        posted=counters.posted,
        refused=counters.refused,
        unanswerable=counters.unanswerable,
        lost=counters.lost,
        unanswered=counters.unanswered,
        waiting=counters.waiting,
        acknowledged=counters.acknowledged,
        undelivered=counters.undelivered,
        reconnects=counters.reconnects,
        hanging=worker.hanging_in(hang_timeout_s),
    )


def _transport(runner: Runner, hang_timeout_s: float) -> TransportStatus:
    counters, timing = runner.counters(), runner.timing
    return TransportStatus(
        name=runner.name,
        state=runner.state,
        error=runner.error or "",
        ever_connected=runner.ever_connected,
        accepted=counters.accepted,
        delivered=counters.delivered,
        unconfirmed=counters.unconfirmed,
        pending=counters.pending,
        dropped=dict(counters.dropped),
        earlier=counters.earlier,
        spool=runner.buffer.path if runner.buffer.keeps else "",
        reconnects=counters.reconnects,
        behind_s=runner.behind_s(),
        batches=len(timing.settled),
        late_batches=timing.late_batches,
        settled=LatencySketch.of(timing.settled),
        far_end=LatencySketch.of(timing.far_end),
        encoding_s=runner.encoding_s,
        computing_s=timing.computing,
        waiting_s=timing.waiting,
        at_most_once=runner.transport.at_most_once,
        on_full_set=runner.on_full_set,
        hanging=runner.hanging_in(hang_timeout_s),
        target=runner.target,
        hint=runner.hint,
    )
