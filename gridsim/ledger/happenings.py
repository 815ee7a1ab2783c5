"""The rare facts of ticks: instructions, events and faults that end, readings never sent."""

from __future__ import annotations

import sqlite3

from gridsim.contracts.instruction_json import write_instruction
from gridsim.contracts.results import InjectedFault, Settlement, TickResult
from gridsim.ledger.about import kind_of
from gridsim.ledger.insert import insert
from gridsim.ledger.rows import unsent_row
from gridsim.simulation.scenario import Scenario


class Happenings:
    """The writer of these facts, within the open transaction."""

    def __init__(self, connection: sqlite3.Connection, scenario: Scenario) -> None:
        self._connection = connection
        self._start_ms, self._tick_ms = scenario.start_ms, scenario.tick_ms
        roster = scenario.roster
        self._project = {name: place for place, name in enumerate(roster.project_id)}
        self._device = {name: place for place, name in enumerate(roster.der_id)}
        self._fault = {spec.id: number for number, spec in enumerate(scenario.faults)}
        self._settlements = 0
        self._measured = scenario.rebound_ms is not None
        self._open: dict[tuple[str, str], int] = {}
        """The settlements whose true reduction is not known yet, by event and project."""

    def write(self, result: TickResult, tick: int) -> None:
        connection = self._connection
        if result.unsent is not None:
            row = unsent_row(result.unsent, tick, self._start_ms, self._tick_ms)
            insert(connection, "packed_unsent", [row])
        for sequence, instruction in enumerate(result.instructions):
            connection.execute(
                "INSERT INTO instructions VALUES (?, ?, ?, ?, ?, ?)",
                (
                    tick,
                    sequence,
                    instruction.target.project_id,
                    instruction.target.der_id,
                    write_instruction(instruction).decode(),
                    instruction.source,
                ),
            )
        for ack in result.acknowledgements:
            connection.execute(
                "INSERT INTO acknowledgements VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    ack.tick,
                    ack.time_ms,
                    ack.target.project_id,
                    ack.target.der_id,
                    ack.id,
                    ack.status,
                    ack.reason,
                    ack.source,
                ),
            )
        connection.executemany(
            "INSERT INTO episodes VALUES (NULL, ?, ?, ?, ?)",
            [
                (self._fault[one.fault_id], self._device[one.der_id], one.start_ms, one.end_ms)
                for one in result.episodes
            ],
        )
        # After the episodes: a fault that was cleared in this tick may have had the same id.
        for injected in result.injected:
            self._inject(injected, tick)
        for settlement in result.settlements:
            self._settle(settlement)
        connection.executemany(
            "INSERT INTO true_reductions VALUES (?, ?, ?, ?)",
            [
                (
                    self._open.pop((one.event, one.project_id)),
                    one.true_kwh,
                    one.rebound_kwh,
                    one.rebound_s,
                )
                for one in result.true_reductions
            ],
        )
        connection.executemany(
            "INSERT INTO unmeasured VALUES (?, ?)",
            [(one.event, one.reason) for one in result.unmeasured],
        )

    def _inject(self, injected: InjectedFault, tick: int) -> None:
        self._fault[injected.id] = injected.fault
        self._connection.execute(
            "UPDATE faults SET until = ? WHERE number = ? AND until IS NULL",
            (tick - 1, injected.number),
        )
        self._connection.execute(
            "INSERT INTO faults VALUES (?, ?, ?, ?, ?, ?, NULL)",
            (
                injected.fault,
                injected.id,
                injected.name,
                kind_of(injected.type),
                injected.number,
                tick,
            ),
        )

    def _settle(self, settlement: Settlement) -> None:
        self._settlements += 1
        if self._measured:
            self._open[settlement.event, settlement.project_id] = self._settlements
        self._connection.execute(
            "INSERT INTO settlements VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._settlements,
                settlement.event,
                self._project[settlement.project_id],
                settlement.notice_ms,
                settlement.start_ms,
                settlement.settled_ms,
                settlement.end_ms,
                settlement.ending,
                settlement.target_kw,
                settlement.compliance,
                settlement.dispatched_kwh,
                settlement.delivered_kwh,
                settlement.asked_kw,
                settlement.able_kw,
                settlement.reason,
            ),
        )
        self._connection.executemany(
            "INSERT INTO violations VALUES (?, ?, ?)",
            [(self._settlements, *interval) for interval in settlement.violations],
        )
