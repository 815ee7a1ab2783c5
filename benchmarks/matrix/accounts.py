"""The check of every row: all accounts of a run agree, with each other and with the far end."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.matrix.fleet import FleetRun
from benchmarks.matrix.sinks import Received
from gridsim.ledger import query

_LINE = re.compile(
    r"INFO +(?P<name>[^:\n]+): (?P<accepted>[\d,]+) accepted(?: \([^)]*\))? = "
    r"(?P<delivered>[\d,]+) delivered \+ "
    r"(?P<total>[\d,]+) dropped(?: \((?P<reasons>[^)]*)\))? \+ "
    r"(?P<unconfirmed>[\d,]+) unconfirmed \+ (?P<pending>[\d,]+) pending"
)
_READINGS = (
    "SELECT number, der_id, strftime('%Y-%m-%dT%H:%M:%S', time / 1000, 'unixepoch') || "
    "printf('.%03dZ', time % 1000) FROM (SELECT number, der_id, (SELECT value FROM meta WHERE "
    "key = 'start_ms') + tick * (SELECT value FROM meta WHERE key = 'tick_ms') AS time "
    "FROM readings JOIN devices USING (device))"
)
NO_STATUS = "the run wrote no last status"


@dataclass(slots=True)
class Account:
    """The readings of one transport by their fate."""

    accepted: int = 0
    delivered: int = 0
    unconfirmed: int = 0
    pending: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        settled = self.delivered + self.unconfirmed + sum(self.dropped.values())
        return self.accepted == settled + self.pending

    def __str__(self) -> str:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items())
        return (
            f"{self.accepted:,} accepted = {self.delivered:,} delivered + "
            f"{sum(self.dropped.values()):,} dropped{f' ({reasons})' if reasons else ''} + "
            f"{self.unconfirmed:,} unconfirmed + {self.pending:,} pending"
        )


def printed(log: str) -> dict[str, Account]:
    """Return the accounts in the closing lines of a log."""
    found = {}
    for match in _LINE.finditer(log):
        dropped = {}
        for part in filter(None, (match["reasons"] or "").split(", ")):
            count, _, reason = part.partition(" ")
            dropped[reason] = _number(count)
        numbers = {
            name: _number(match[name])
            for name in ("accepted", "delivered", "unconfirmed", "pending")
        }
        found[match["name"]] = Account(**numbers, dropped=dropped)
    return found


def in_status(path: Path) -> dict[str, Account]:
    """Return the accounts of the last status that the witness recorded."""
    accounts = json.loads(path.read_text())["accounts"]
    return {one.pop("name"): Account(**one) for one in accounts}


def in_metrics(path: Path) -> dict[str, Account]:
    """Return the accounts of the last metrics that the witness recorded."""
    found: dict[str, Account] = {}
    for family in text_string_to_metric_families(json.loads(path.read_text())["metrics"]):
        for sample in family.samples:
            name, value = sample.labels.get("transport", ""), int(sample.value)
            account = found.setdefault(name, Account()) if name else Account()
            match sample.name:
                case "gridsim_transport_accepted_readings_total":
                    account.accepted = value
                case "gridsim_transport_pending_readings":
                    account.pending = value
                case "gridsim_transport_readings_total" if sample.labels["outcome"] == "dropped":
                    account.dropped[sample.labels["reason"]] = value
                case "gridsim_transport_readings_total":
                    setattr(account, sample.labels["outcome"], value)
    return found


class Fates:
    """The fate of each reading of a transport, as the ledger has it."""

    def __init__(self, path: Path, transport: str) -> None:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            [(key,)] = connection.execute(
                "SELECT transport FROM transports WHERE name = ?", (transport,)
            ).fetchall()
            fates = connection.execute(
                "SELECT first, rows, fate, reason FROM fates WHERE transport = ?", (key,)
            ).fetchall()
            retries = connection.execute(
                "SELECT first, rows FROM retries WHERE transport = ?", (key,)
            ).fetchall()
            [(self.emitted,)] = connection.execute("SELECT sum(rows) FROM batches").fetchall()
        self.fate: dict[int, tuple[str, str]] = {}
        self.repeated = 0
        """The number of readings with two fates."""
        self.example = ""
        """The first of them, and its fates."""
        for first, rows, fate, reason in fates:
            for number in range(first, first + rows):
                if number in self.fate:
                    self.repeated += 1
                    both = f"reading {number}: {self.fate[number]}, {(fate, reason)}"
                    self.example = self.example or both
                self.fate[number] = fate, reason
        self.again = {number for first, rows in retries for number in range(first, first + rows)}
        with query(path, _READINGS) as found:
            self.reading = {number: (der, time) for number, der, time in found.rows}

    def account(self) -> Account:
        """Return the sums. Readings without a fate are pending."""
        counts = Counter(fate for fate, _ in self.fate.values())
        reasons = Counter(reason for fate, reason in self.fate.values() if fate == "dropped")
        pending = (self.emitted or 0) - len(self.fate)
        return Account(
            self.emitted or 0, counts["delivered"], counts["unconfirmed"], pending, dict(reasons)
        )


def disagreements(
    run: FleetRun, received: Mapping[str, Received], *, copies: bool = True
) -> list[str]:
    """Return how the accounts of a run that has ended differ, and what the far ends contradict.

    `received` has the far end of each transport that has one. With `copies` a reading may arrive
    more often than once if it was sent again after a failure.
    """
    found: list[str] = []
    log = printed(run.log)
    if not log:
        return ["no account in the log"]
    for name, account in log.items():
        if not account.balanced:
            found.append(f"{name}: the printed account does not add up: {account}")
        if account.pending:
            found.append(f"{name}: {account.pending} readings pending at the end")
    found += _unnoticed(run, log)
    if run.ledger is None:
        return found
    if not run.seen.exists():
        found.append(NO_STATUS)
    else:
        seen = json.loads(run.seen.read_text())
        found += [f"at a moment of the run: {one}" for one in seen["broken"][:3]]
        for place, accounts in (
            ("status", in_status(run.seen)),
            ("metrics", in_metrics(run.seen)),
        ):
            found += [
                f"{name}: {place} has {accounts.get(name)}, printed was {account}"
                for name, account in log.items()
                if accounts.get(name) != account
            ]
    for name, account in log.items():
        fates = Fates(run.ledger, name)
        if fates.account() != account:
            found.append(f"{name}: the ledger has {fates.account()}, printed was {account}")
        if fates.repeated:
            found.append(f"{name}: {fates.repeated} with two fates in the ledger: {fates.example}")
        if name in received:
            found += [
                f"{name}: {one}" for one in contradictions(fates, received[name], copies=copies)
            ]
    return found


def _unnoticed(run: FleetRun, accounts: Mapping[str, Account]) -> list[str]:
    """Return the losses of a run that ended with 0, but for those that its configuration intends.

    With QoS 0 a reading may be lost with its connection.
    """
    if run.process.poll() != 0:
        return []
    text = run.config.read_text(errors="replace")
    intended = {"device offline"} | ({"queue full"} if "on_full" in text else set())
    found = []
    for name, account in accounts.items():
        lost = {reason: n for reason, n in account.dropped.items() if reason not in intended}
        if lost or (account.unconfirmed and "qos = 0" not in text):
            found.append(f"{name}: exit 0, although readings were lost: {account}")
    return found


def contradictions(fates: Fates, received: Received, *, copies: bool) -> list[str]:
    """Return the contradictions between the fates and what arrived, by reading."""
    number = {reading: number for number, reading in fates.reading.items()}
    delivered = [n for n, (fate, _) in fates.fate.items() if fate == "delivered"]
    missing = [n for n in delivered if fates.reading[n] not in received.copies]
    unknown = [one for one in received.copies if one not in number]
    arrived = {number[one] for one in received.copies if one in number}
    # A reading that was sent again and then dropped may have arrived the first time.
    denied = [
        n for n in arrived if fates.fate.get(n, ("",))[0] == "dropped" and n not in fates.again
    ]
    repeated = [
        one
        for one, count in received.copies.items()
        if count > 1 and not (copies and number.get(one) in fates.again)
    ]
    problems = [
        (len(missing), "delivered readings are not at the far end"),
        (len(denied), "dropped readings are at the far end"),
        (len(repeated), "readings arrived more than once without having been sent again"),
        (len(unknown), "readings at the far end are not in the ledger"),
        (received.torn, "messages at the far end are torn"),
    ]
    return [f"{count} {text}" for count, text in problems if count]


def _number(text: str) -> int:
    return int(text.replace(",", ""))
