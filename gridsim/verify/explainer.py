"""The differences between sent and arrived readings, with their projects and causes."""

from __future__ import annotations

from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.ledger import Reader
from gridsim.verify.comparison import Comparison
from gridsim.verify.differences import KINDS, UNEXPLAINED, DifferenceKind, Differences, Example
from gridsim.verify.disorder import find_disorder
from gridsim.verify.evidence import GARBLED, Evidence
from gridsim.verify.fields import BIT, SEQ
from gridsim.verify.labels import FaultLabels
from gridsim.verify.matches import AGAIN, ALTERED, CHANGED, SHIFTED, UNKNOWN
from gridsim.verify.roster import LedgerRoster
from gridsim.verify.sent import DELIVERED, DROPPED, PENDING, UNCONFIRMED
from gridsim.verify.times import NO_TIME, stamp_of
from gridsim.verify.torn import torn_off
from gridsim.verify.values import ABSENT, NULL

_CONTRASTED: Final = {
    "current_output": ("output", 100),
    "power_meter_measurement": ("meter", 100),
    "baseline": ("baseline", 100),
    "current_soc": ("soc", 10),
    "is_online": ("online", 1),
}
"""The fields that an example shows, with their columns and the columns' factors."""
_SHOWN = 10


class Explainer:
    """The search for the causes of all differences."""

    def __init__(
        self,
        reader: Reader,
        roster: LedgerRoster,
        comparison: Comparison,
        evidence: Evidence,
        *,
        keep: bool = False,
    ) -> None:
        """Prepare; with `keep`, the device and time of each difference are kept."""
        self._evidence = evidence
        self._reader, self._roster, self._comparison = reader, roster, comparison
        self._sent, self._arrivals = comparison.sent, comparison.arrivals
        self._matching = comparison.matching
        self._labels = FaultLabels(reader.faults())
        self._found = Differences(roster.project, len(roster.project_id), keep)

    def explain(self, *, ordered: bool, copies: bool = True) -> Differences:
        """Return all differences; `ordered` means that the rows are in the order of arrival.

        Without `copies`, copies of readings that a fault made may be missing.
        """
        self._missing(copies)
        self._lost_before()
        self._copies()
        self._repeated()
        self._altered()
        self._unreadable()
        self._delayed()
        self._unknown()
        if ordered:
            self._reordered()
        return self._found

    def _missing(self, copies: bool) -> None:
        sent = self._sent
        gone = ~self._matching.arrived
        if not copies:
            gone &= ~sent.copy
        dropped = gone & (sent.fate == DROPPED)
        for index, reason in enumerate(sent.reasons):
            self._sent_rows("missing", f"dropped: {reason}", dropped & (sent.reason == index))
        gone &= ~dropped
        torn = torn_off(np.flatnonzero(gone), sent, self._arrivals, self._matching)
        for fault in np.unique(sent.altered[torn]).tolist():
            self._sent_at("missing", self._labels.ids[fault], torn[sent.altered[torn] == fault])
        gone[torn] = False
        self._sent_rows("missing", "unconfirmed", gone & (sent.fate == UNCONFIRMED))
        pending = gone & (sent.fate == PENDING)
        for index, reason in enumerate(sent.reasons):
            self._sent_rows("missing", reason, pending & (sent.reason == index))
        pending &= sent.reason < 0
        if self._reader.complete:
            self._sent_rows("missing", UNEXPLAINED, pending)
        else:
            self._sent_rows("missing", "pending when the run was killed", pending)
        self._sent_rows("missing", UNEXPLAINED, gone & (sent.fate == DELIVERED))

    def _lost_before(self) -> None:
        """Add the readings that were not sent because of faults."""
        unsent = self._reader.unsent()
        for cause, rows in self._labels.groups(unsent.faults, unsent.known):
            device, time_ms = unsent.device[rows], unsent.sent_ms[rows]
            self._found.add("missing", cause or "never sent", device, time_ms)

    def _copies(self) -> None:
        sent = self._sent
        rows = np.flatnonzero(sent.copy & self._matching.arrived)
        for cause, part in self._labels.groups(sent.faults[rows], sent.left[rows], "message"):
            self._sent_at("duplicate", cause or "a copy recorded in the ledger", rows[part])

    def _repeated(self) -> None:
        again = np.flatnonzero(self._matching.how == AGAIN)
        retried = self._sent.retried[self._matching.reading[again]]
        self._arrival_rows("duplicate", "sent again after a reconnection", again[retried])
        self._arrival_rows("duplicate", UNEXPLAINED, again[~retried])

    def _altered(self) -> None:
        sent, matching = self._sent, self._matching
        rows = np.flatnonzero(sent.differs & matching.arrived)
        for cause, part in self._labels.groups(sent.faults[rows], sent.left[rows], "device"):
            self._sent_at("altered", cause or "recorded in the ledger", rows[part])
        changed = ((matching.how == CHANGED) | (matching.how == SHIFTED)) & ~matching.damaged
        self._arrival_rows("altered", UNEXPLAINED, np.flatnonzero(changed))
        by_fault = np.flatnonzero((matching.how == ALTERED) & ~matching.damaged)
        self._by_alteration("altered", by_fault)

    def _unreadable(self) -> None:
        matching = self._matching
        self._by_alteration(
            "unreadable", np.flatnonzero((matching.how == ALTERED) & matching.damaged)
        )
        changed = (matching.how == CHANGED) & matching.damaged
        self._arrival_rows("unreadable", UNEXPLAINED, np.flatnonzero(changed))
        lost = np.flatnonzero((matching.how == UNKNOWN) & matching.damaged)
        # A text without any readable field may have arrived twice, like any other text.
        twice = int((self._sent.retried & (self._sent.altered >= 0)).sum())
        self._arrival_rows("unreadable", "sent again after a reconnection", lost[:twice])
        self._arrival_rows("unreadable", *self._beyond(lost[twice:]))

    def _delayed(self) -> None:
        sent = self._sent
        rows = np.flatnonzero((sent.left > sent.tick) & ~sent.copy & self._matching.arrived)
        for cause, part in self._labels.groups(sent.faults[rows], sent.left[rows]):
            self._sent_at("delayed", cause or "recorded in the ledger", rows[part])

    def _unknown(self) -> None:
        matching = self._matching
        rows = np.flatnonzero((matching.how == UNKNOWN) & ~matching.damaged)
        late = self._after_the_end(rows)
        self._arrival_rows("unknown", "after the ledger's end", rows[late])
        rows = rows[~late]
        meta = self._reader.meta
        before = np.flatnonzero(self._arrivals.time_ms[rows] < meta["start_ms"])
        before = before[: meta.get("earlier", 0)]
        self._arrival_rows("unknown", "of an earlier run, from the spool", rows[before])
        self._arrival_rows("unknown", UNEXPLAINED, np.delete(rows, before))

    def _beyond(self, rows: NDArray[np.intp]) -> tuple[str, NDArray[np.intp]]:
        """Return the cause of readings after the ledger's end: a killed run may have sent more."""
        if self._reader.complete:
            return UNEXPLAINED, rows
        return "after the ledger's end", rows

    def _after_the_end(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        if self._reader.complete:
            return np.zeros(len(rows), np.bool_)
        meta = self._reader.meta
        last = self._comparison.unchanged.last_left
        beyond: NDArray[np.bool_] = (
            self._arrivals.time_ms[rows] > meta["start_ms"] + last * meta["tick_ms"]
        )
        # Arrivals after the last known one were sent after the ledger's end too.
        beyond |= self._comparison.place[rows] > self._comparison.arrived.max(initial=-1)
        return beyond

    def _reordered(self) -> None:
        found = find_disorder(self._comparison)
        for cause, rows in (
            ("sent again after a reconnection", found.overtaken & found.retried),
            (UNEXPLAINED, found.overtaken & ~found.retried),
        ):
            device = found.device[rows]
            self._found.add("reordered", cause, device, found.time_ms[rows])
            if cause == UNEXPLAINED:
                shown = zip(device, found.place[rows], found.time_ms[rows], strict=True)
                for of, place, sent_ms in islice(shown, _SHOWN):
                    shown_ms, line = self._comparison.shown(int(place), int(sent_ms))
                    self._show("reordered", int(of), shown_ms, line)
        meant = found.meant
        for cause, part in self._labels.groups(found.faults[meant], found.left[meant]):
            device, time_ms = found.device[meant][part], found.time_ms[meant][part]
            self._found.add("reordered", cause or "recorded in the ledger", device, time_ms)

    def _by_alteration(self, kind: DifferenceKind, rows: NDArray[np.intp]) -> None:
        fault = self._sent.altered[self._matching.reading[rows]]
        for index in np.unique(fault).tolist():
            self._arrival_rows(kind, self._labels.ids[index], rows[fault == index])

    def _sent_rows(self, kind: DifferenceKind, cause: str, rows: NDArray[np.bool_]) -> None:
        self._sent_at(kind, cause, np.flatnonzero(rows))

    def _sent_at(self, kind: DifferenceKind, cause: str, rows: NDArray[np.intp]) -> None:
        sent = self._sent
        self._found.add(kind, cause, sent.device[rows], sent.time_ms[rows])
        if cause == UNEXPLAINED:
            for row in rows[:_SHOWN].tolist():
                self._show(kind, int(sent.device[row]), int(sent.time_ms[row]), 0)

    def _arrival_rows(self, kind: DifferenceKind, cause: str, rows: NDArray[np.intp]) -> None:
        arrivals, reading = self._arrivals, self._matching.reading[rows]
        device, time_ms = arrivals.device[rows].astype(np.int64), arrivals.time_ms[rows]
        if len(self._sent):
            device = np.where(reading >= 0, self._sent.device[reading], device)
            time_ms = np.where(reading >= 0, self._sent.time_ms[reading], time_ms)
        self._found.add(kind, cause, device, time_ms)
        if cause == UNEXPLAINED:
            for row, of in zip(rows[:_SHOWN].tolist(), device[:_SHOWN].tolist(), strict=True):
                detail = self._contrast(row) if kind in ("altered", "unreadable") else ""
                self._show(kind, of, int(arrivals.time_ms[row]), int(arrivals.line[row]), detail)

    def _contrast(self, row: int) -> str:
        """Return a text that lists the fields in which an arrival differs from the sent reading."""
        reading, found = int(self._matching.reading[row]), []
        arrivals, names = self._arrivals, self._evidence.names
        at = int(arrivals.line[row]), int(arrivals.device[row])
        if arrivals.garbled[row] and (reason := self._evidence.sample(GARBLED, *at)):
            return reason
        for name, bit in BIT.items():
            if int(arrivals.absent[row]) & bit and (value := self._evidence.sample(name, *at)):
                found.append(f"{names[name]} is {value}, which cannot be read")
            elif int(arrivals.strange[row]) & bit:
                value = self._evidence.sample(f"{name}=", *at)
                truth = self._roster.text(name, at[1])
                found.append(f"{names[name]} {value or 'another value'} instead of {truth}")
        if reading < 0:
            return ", ".join(found)
        time_ms, sent_ms = int(arrivals.time_ms[row]), int(self._sent.time_ms[reading])
        if time_ms not in (sent_ms, NO_TIME):
            found.append(f"{names['timestamp']} {stamp_of(time_ms)} instead of {stamp_of(sent_ms)}")
        for name, (column, factor) in _CONTRASTED.items():
            if not self._evidence.there[name]:
                continue
            arrived = int(getattr(self._arrivals, column)[row])
            sent = int(getattr(self._sent, column)[reading])
            lost = int(arrivals.absent[row]) & BIT[name]
            if arrived not in (sent, ABSENT) and not lost:
                found.append(
                    f"{names[name]} {_value(arrived, factor)} instead of {_value(sent, factor)}"
                )
        since, sent_since = int(arrivals.since_ms[row]), int(self._sent.since_ms[reading])
        if since not in (sent_since, NO_TIME):
            name = names["connection_start_at"]
            found.append(f"{name} {stamp_of(since)} instead of {stamp_of(sent_since)}")
        if SEQ in names and (seq := int(arrivals.seq[row])) not in (self._sent.tick[reading], -1):
            found.append(f"{names[SEQ]} {seq} instead of {int(self._sent.tick[reading])}")
        return ", ".join(found)

    def _show(
        self, kind: DifferenceKind, device: int, time_ms: int, line: int, detail: str = ""
    ) -> None:
        if len(self._found.examples) < _SHOWN * len(KINDS):
            der_id = self._roster.der_id[device] if device >= 0 else ""
            self._found.examples.append(Example(kind, der_id, stamp_of(time_ms), line, detail))


def _value(value: int, factor: int) -> str:
    if factor == 1:
        return "true" if value else "false"
    return "null" if value == NULL else f"{value / factor:.{len(str(factor)) - 1}f}"
