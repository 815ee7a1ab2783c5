"""The rarer facts of ticks: instructions, ended events and faults, and readings never sent."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from gridsim.api import Batch
from gridsim.contracts.instruction_json import write_instruction
from gridsim.contracts.results import InjectedFault, Reloaded, Settlement, TickResult
from gridsim.ledger.about import kind_of
from gridsim.ledger.insert import insert
from gridsim.ledger.places import Places
from gridsim.ledger.rows import unsent_row
from gridsim.simulation.scenario import Scenario


class Happenings:
    """The writer of these facts, within the open transaction."""

    def __init__(self, connection: sqlite3.Connection, scenario: Scenario, places: Places) -> None:
        self._connection = connection
        self._places = places
        self._unsent: list[Batch] = []
        """The readings of a reload that are never sent, until its tick is written."""
        self._start_ms, self._tick_ms = scenario.start_ms, scenario.tick_ms
        self._project, self._device = places.project, places.device
        self._fault = {spec.id: number for number, spec in enumerate(scenario.faults)}
        self._settlements = 0
        self._measured = scenario.rebound_ms is not None
        self._open: dict[tuple[str, str], int] = {}
        """The settlements whose true reduction is not known yet, by event and project."""

    def restore(self, settlements: int) -> None:
        """Continue after the settlements that the ledger has, in a ledger that is resumed."""
        self._settlements = settlements
        rows = self._connection.execute("SELECT id, fault FROM faults ORDER BY fault")
        self._fault.update(rows.fetchall())
        if self._measured:
            query = (
                "SELECT event, project_id, settlement FROM settlements JOIN projects "
                "USING (project) ORDER BY settlement"
            )
            for event, project, number in self._connection.execute(query):
                self._open[event, project] = number

    def write(self, result: TickResult, tick: int) -> None:
        connection = self._connection
        if result.unsent is not None:
            self._unsent.append(result.unsent)
        if result.reload is not None:
            self._note_reload(result.reload)
        elif self._unsent:
            unsent, self._unsent = self._unsent, []
            number = self._places.of
            row = unsent_row(unsent, tick, self._start_ms, self._tick_ms, number)
            insert(connection, "packed_unsent", [row])
        instructions = [
            (
                tick,
                sequence,
                one.target.project_id,
                one.target.der_id,
                write_instruction(one).decode(),
                one.source,
            )
            for sequence, one in enumerate(result.instructions)
        ]
        insert(connection, "instructions", instructions)
        acknowledgements = [
            (
                None,
                one.tick,
                one.time_ms,
                one.target.project_id,
                one.target.der_id,
                one.id,
                one.status,
                one.reason,
                one.source,
            )
            for one in result.acknowledgements
        ]
        insert(connection, "acknowledgements", acknowledgements)
        connection.executemany(
            "INSERT INTO episodes VALUES (NULL, ?, ?, ?, ?)",
            [
                (self._fault[one.fault_id], self._device[one.der_id], one.start_ms, one.end_ms)
                for one in result.episodes
            ],
        )
        # After the episodes, because a fault that was cleared in this tick may have had the same
        # id.
        for injected in result.injected:
            self._inject(injected, tick)
        self._settle(result.settlements)
        connection.executemany(
            "INSERT OR REPLACE INTO true_reductions VALUES (?, ?, ?, ?)",
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

    def _note_reload(self, reload: Reloaded) -> None:
        now_ms = time.time_ns() // 1_000_000
        row = (reload.tick, reload.time_ms, reload.digest, now_ms)
        self._connection.execute("INSERT INTO reloads VALUES (NULL, ?, ?, ?, ?)", row)

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

    def _settle(self, settlements: Sequence[Settlement]) -> None:
        first = self._settlements + 1
        self._settlements += len(settlements)
        numbered = list(enumerate(settlements, first))
        if self._measured:
            self._open.update({(one.event, one.project_id): number for number, one in numbered})
        rows = [
            (
                number,
                one.event,
                self._project[one.project_id],
                one.notice_ms,
                one.start_ms,
                one.settled_ms,
                one.end_ms,
                one.ending,
                one.target_kw,
                one.compliance,
                one.dispatched_kwh,
                one.delivered_kwh,
                one.asked_kw,
                one.able_kw,
                one.reason,
            )
            for number, one in numbered
        ]
        insert(self._connection, "settlements", rows)
        violations = [
            (number, *interval) for number, one in numbered for interval in one.violations
        ]
        insert(self._connection, "violations", violations)
