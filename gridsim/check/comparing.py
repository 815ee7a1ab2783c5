"""The comparison of a day's exports with its ledger, and with the promises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from gridsim.check.result import Figures
from gridsim.check.settings import Promises, SystemSettings
from gridsim.errors import UsageError
from gridsim.ledger import Reader
from gridsim.text.words import counted
from gridsim.verify import VerifyOptions, VerifyReport, verify
from gridsim.verify.differences import UNEXPLAINED
from gridsim.verify.options import zone_of
from gridsim.verify.settlement import SettlementVerdict, read_claims
from gridsim.verify.times import TimeReader

_RESENT: Final = "sent again after a reconnection"
_SHOWN: Final = 5
# The command line options in the texts of verify, and the settings that correspond to them.
_SETTINGS: Final = (
    (r"--field (\w+)=(\w+)", r'fields = { \1 = "\2" }'),
    (r"--time-tolerance ([\d.]+)s", r"time_tolerance_s = \1"),
    (r"--assume-zone NAME", 'assume_zone = "NAME"'),
    (r"--(arrival-only|loose-types)", r"\1 = true"),
    (r"gridsim verify: error", "export"),
)


@dataclass(frozen=True, slots=True)
class Exported:
    """The files that a system has written about a day."""

    records: Path | None
    settlement: Path | None


@dataclass(frozen=True, slots=True)
class Assessment:
    """The comparison of a day."""

    figures: Figures
    broken: tuple[str, ...]
    """The broken promises."""
    doubts: tuple[str, ...]
    """The reasons why nothing is proven."""
    details: tuple[str, ...]


class _Energy(NamedTuple):
    """The energy of a day's settlements, kWh."""

    true: float
    settled: float
    mis_settled: float
    wrong: int
    """The number of settlements whose energy is beyond the tolerance."""


def assess(
    ledger: Path,
    transport: str,
    exported: Exported,
    settings: SystemSettings,
    promises: Promises,
    html: Path | None = None,
) -> Assessment:
    """Compare the exports of a day. Raises UsageError if they cannot be read."""
    options = VerifyOptions(
        ledger,
        files=() if exported.records is None else (str(exported.records),),
        transport=transport,
        fields=tuple(f"{ours}={theirs}" for ours, theirs in settings.fields.items()),
        unordered=not settings.ordered,
        expect=exported.settlement,
        tolerance_kwh=settings.tolerance_kwh,
        tolerance_s=settings.tolerance_s,
        loose=settings.loose_types,
        time_tolerance_s=settings.time_tolerance_s,
        assume_zone=settings.assume_zone,
        decimal=settings.decimal,
        arrival_only=settings.arrival_only,
        copies=False,
        html=html,
    )
    try:
        report = verify(options, lambda _: None)
        figures = _figures(report)
        broken = [*_broken_counts(report, figures, promises, settings.ordered)]
        if exported.settlement is not None and report.verdict is not None:
            energy = _energy(ledger, exported.settlement, settings)
            figures = replace(
                figures,
                true_kwh=energy.true,
                settled_kwh=energy.settled,
                mis_settled_kwh=energy.mis_settled,
            )
            broken += _broken_settlements(report.verdict, energy, promises)
    except UsageError as error:
        raise UsageError(_as_settings(str(error))) from None
    return Assessment(
        figures,
        tuple(map(_as_settings, broken)),
        tuple(map(_as_settings, report.doubts)),
        tuple(map(_as_settings, report.details())),
    )


def _figures(report: VerifyReport) -> Figures:
    if report.compared is None:
        return Figures()
    causes = report.differences.causes
    repeats = causes["duplicate"]
    # For verify, a copy made by a fault is a separate reading that was compared, too.
    copies = sum(n for cause, n in repeats.items() if cause not in (UNEXPLAINED, _RESENT))
    lost = causes["missing"][UNEXPLAINED]
    stored = report.compared - copies
    return Figures(
        sent=stored + lost,
        stored=stored,
        lost=lost,
        duplicates=repeats.total(),
        changed=causes["altered"][UNEXPLAINED] + causes["unreadable"][UNEXPLAINED],
        unknown=causes["unknown"][UNEXPLAINED],
    )


def _broken_counts(
    report: VerifyReport, figures: Figures, promises: Promises, ordered: bool
) -> Iterator[str]:
    """Yield a sentence for each broken promise about readings, and its explanations."""
    if report.compared is None:
        return
    found = []
    for count, limit, what in (
        (figures.lost, promises.lost, "lost"),
        (figures.duplicates, promises.duplicates, "stored more than once"),
        (figures.changed, promises.changed, "changed"),
        (figures.unknown, promises.unknown, "stored, but never sent"),
    ):
        if count is not None and limit != "any" and count > limit:
            found.append(f"{counted(count, 'reading')} {what} ({limit:,} allowed)")
    disorder = report.differences.causes["reordered"][UNEXPLAINED]
    if ordered and disorder:
        found.append(f"{counted(disorder, 'reading')} out of order")
    yield from found
    if found:
        yield from map(str, report.unreadable_fields)
        yield from (str(pattern) for pattern in report.patterns if not pattern.allowed)


def _broken_settlements(
    verdict: SettlementVerdict, energy: _Energy, promises: Promises
) -> Iterator[str]:
    """Yield a sentence if the energy is beyond the promise, and one for each other difference."""
    excess = energy.mis_settled > promises.kwh + 1e-9
    # A difference in energy alone is a line "... kWh instead of ..."; the promise covers these.
    others = [line for line in verdict.differences if not re.search(r" kWh instead of ", line)]
    if excess:
        yield (
            f"{energy.mis_settled:.3f} kWh settled wrongly in "
            f"{counted(energy.wrong, 'settlement')} ({promises.kwh:g} allowed)"
        )
    shown = verdict.differences if excess else others
    yield from shown[:_SHOWN]
    if len(shown) > _SHOWN:
        yield f"and {counted(len(shown) - _SHOWN, 'more settlement')}"


def _energy(ledger: Path, settlement: Path, settings: SystemSettings) -> _Energy:
    with Reader(ledger) as reader:
        clock = TimeReader(zone_of(settings.assume_zone), reader.meta["start_ms"])
        truth = {(one.event, one.project_id): one.delivered_kwh for one in reader.settlements()}
    claims, _ = read_claims(settlement, clock)
    errors = [
        abs((claims[key].reduction_kwh if key in claims else 0.0) - truth.get(key, 0.0))
        for key in truth.keys() | claims.keys()
    ]
    # As in verify, a difference of exactly the tolerance is accepted despite rounding errors.
    wrong = [error for error in errors if error > settings.tolerance_kwh + 1e-9]
    settled = sum(claim.reduction_kwh for claim in claims.values())
    return _Energy(sum(truth.values()), settled, sum(wrong), len(wrong))


def _as_settings(text: str) -> str:
    """Return a text of verify with settings of `[system]` in place of command line options."""
    for option, setting in _SETTINGS:
        text = re.sub(option, setting, text)
    text = re.sub(r"(arrival-only|loose-types) = true", lambda m: m[0].replace("-", "_"), text)
    return re.sub(r"--([a-z][a-z-]*)", lambda found: found[1].replace("-", "_"), text)
