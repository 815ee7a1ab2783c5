"""The truth about a simulation: settlements, violations, faults and true readings, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from gridsim.contracts.results import Episode, Settlement, TickResult, TrueReduction
from gridsim.simulator.column import ColumnKind, TableColumn
from gridsim.simulator.readings import Readings
from gridsim.simulator.table import ColumnTable
from gridsim.simulator.true_readings import TruthCollector

RUNNING = "running"
"""The ending of an event that is not over."""

Field = tuple[str, ColumnKind, str]
_EVENTS: Sequence[Field] = (
    ("event", "category", ""),
    ("project_id", "category", ""),
    ("start", "time", ""),
    ("end", "time", ""),
    ("ending", "category", ""),
    ("target_kw", "number", "kW"),
    ("compliance", "number", ""),
    ("dispatched_kwh", "number", "kWh"),
    ("delivered_kwh", "number", "kWh"),
    ("true_kwh", "number", "kWh"),
    ("rebound_kwh", "number", "kWh"),
    ("asked_kw", "number", "kW"),
    ("able_kw", "number", "kW"),
    ("violations", "integer", ""),
    ("violation_s", "number", "s"),
    ("reason", "text", ""),
)
_VIOLATIONS: Sequence[Field] = (
    ("event", "category", ""),
    ("project_id", "category", ""),
    ("start", "time", ""),
    ("end", "time", ""),
    ("duration_s", "number", "s"),
)
_FAULTS: Sequence[Field] = (
    ("fault", "category", ""),
    ("der_id", "category", ""),
    ("start", "time", ""),
    ("end", "time", ""),
    ("duration_s", "number", "s"),
)


class TruthRecords:
    """The records of a simulation so far from which the truth is made."""

    def __init__(self) -> None:
        self.settlements: list[Settlement] = []
        self.episodes: list[Episode] = []
        self.reductions: dict[tuple[str, str], TrueReduction] = {}

    def add(self, result: TickResult) -> None:
        """Add the records of a tick."""
        if result.settlements:
            self.settlements.extend(result.settlements)
        if result.episodes:
            self.episodes.extend(result.episodes)
        for one in result.true_reductions:
            self.reductions[one.event, one.project_id] = one

    def copied(self) -> TruthRecords:
        """Return a copy that grows independently."""
        other = copy(self)
        other.settlements, other.episodes = [*self.settlements], [*self.episodes]
        other.reductions = dict(self.reductions)
        return other


class Truth:
    """The truth about a simulation up to now, which reports with faults may hide.

    It holds in memory what a ledger would record.
    """

    def __init__(
        self,
        records: TruthRecords,
        timezone: str,
        still_open: Callable[[], TickResult | None],
        collector: Callable[[], TruthCollector],
    ) -> None:
        """Make the truth of a simulation.

        `still_open` returns the result that would end it now, None if nothing is open; `collector`
        has the true readings of the latest `run`.
        """
        self._records, self._timezone = records, timezone
        self._still_open, self._collector = still_open, collector

    def __repr__(self) -> str:
        return "Truth: the tables events, violations, faults and readings"

    @property
    def events(self) -> ColumnTable:
        """The demand-response events: a row for each event and project that was called.

        `event` is the event's id, with `#2` from its second occurrence on. `delivered_kwh` is the
        reduction by the baseline, and `true_kwh` that against a copy of the simulation without the
        event; it is NaN while it is not known, and without `[ledger]` in the configuration.
        `ending` is completed, superseded, opted out, interrupted, cancelled, or running for an
        event that is not over, whose sums are preliminary. `reason` is why a project fell short.
        """
        rows = []
        for one in self._settlements():
            true = self._records.reductions.get((one.event, one.project_id))
            violation_ms = sum(end - start for start, end in one.violations)
            rows.append(
                (
                    one.event,
                    one.project_id,
                    one.start_ms,
                    one.end_ms,
                    one.ending,
                    one.target_kw,
                    one.compliance,
                    one.dispatched_kwh,
                    one.delivered_kwh,
                    np.nan if true is None else true.true_kwh,
                    np.nan if true is None else true.rebound_kwh,
                    one.asked_kw,
                    one.able_kw,
                    len(one.violations),
                    violation_ms / 1000,
                    one.reason,
                )
            )
        return _table(_EVENTS, rows, self._timezone)

    @property
    def violations(self) -> ColumnTable:
        """The violations of contracts: a row for each interval.

        An interval begins with the first reading in violation. It ends with the first reading that
        is not, with the end of the event, or now.
        """
        rows = (
            (one.event, one.project_id, start, end, (end - start) / 1000)
            for one in self._settlements()
            for start, end in one.violations
        )
        return _table(_VIOLATIONS, rows, self._timezone)

    @property
    def faults(self) -> ColumnTable:
        """The faults: a row for each fault, device and time; faults that are not over end now."""
        rest = self._still_open()
        episodes = (*self._records.episodes, *(rest.episodes if rest else ()))
        rows = (
            (one.fault_id, one.der_id, one.start_ms, one.end_ms, (one.end_ms - one.start_ms) / 1000)
            for one in episodes
        )
        return _table(_FAULTS, rows, self._timezone)

    @property
    def readings(self) -> Readings:
        """The true readings of the latest `run`: a row for each device and tick.

        A device has a row also while it is offline and at ticks at which it does not report.
        `is_faulty` is true where a fault may affect what the device reports. A reading without an
        error has the same values, because both are rounded alike. The columns and the interval are
        those of the `run`.
        """
        return self._collector().table(self._timezone)

    def _settlements(self) -> list[Settlement]:
        rest = self._still_open()
        return [*self._records.settlements, *map(_running, rest.settlements if rest else ())]


def _running(own: Settlement) -> Settlement:
    """Return the preliminary settlement of an event that still runs."""
    return replace(own, ending=RUNNING) if own.ending == "interrupted" else own  # type: ignore[arg-type]


def _table(fields: Sequence[Field], rows: Iterable[tuple[Any, ...]], timezone: str) -> ColumnTable:
    """Return rows of values as a table."""
    values = list(zip(*rows, strict=True)) or [()] * len(fields)
    columns = [_column(*field, column) for field, column in zip(fields, values, strict=True)]
    return ColumnTable(columns, timezone)


def _column(name: str, kind: ColumnKind, unit: str, values: Sequence[Any]) -> TableColumn:
    if kind == "category":
        categories = list(dict.fromkeys(values))
        place = {text: code for code, text in enumerate(categories)}
        codes = np.array([place[text] for text in values], np.int32)
        return TableColumn(name, kind, codes, unit, categories=categories)
    dtype = {"number": np.float64, "text": object}.get(kind, np.int64)
    return TableColumn(name, kind, np.array(values, dtype), unit)
