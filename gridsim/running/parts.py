"""The parts of a planned run that connect: its transports, sources and views."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gridsim.api import MessageFault, RunContext, Source, Target, TextError, Transport, View
from gridsim.config.configuration import Configuration
from gridsim.config.tables.sources import SourceChoice
from gridsim.config.tables.transports import TransportChoice
from gridsim.config.tables.views import ViewChoice
from gridsim.config.text.load import Document
from gridsim.config.text.locate import KeyPath
from gridsim.config.text.report import ConfigError, Problem
from gridsim.delivery import (
    Alteration,
    Alterations,
    AlteringFormat,
    DeliveryPolicy,
    MessageTrace,
    Observer,
    Runner,
    TimedFormat,
)
from gridsim.delivery.account import OnFull, default_on_full
from gridsim.delivery.buffer import Buffer
from gridsim.delivery.spool import SpoolBuffer, SpoolStore
from gridsim.errors import GridsimError, failure, printable
from gridsim.running.sharding import ShardDivision, beyond_reach, shared_by_shards
from gridsim.simulation.scenario import Scenario
from gridsim.sources import is_own


@dataclass(frozen=True, slots=True)
class SpoolPlan:
    """The spool of a transport."""

    path: Path
    limit_bytes: int
    alterations: Alterations

    def open(self, planned: PlannedTransport, *, continues: bool = False) -> SpoolBuffer:
        """Open the file, lock it, and start to write it. Raises UsageError.

        With `continues` the run resumes the last one that used the file.
        """
        roster, known = planned.transport.run.roster, self.alterations.known
        store = SpoolStore(self.path, roster, self.alterations.fingerprint(), continues=continues)
        return SpoolBuffer(
            planned.name,
            store,
            roster,
            limit_bytes=self.limit_bytes,
            memory_bytes=planned.policy.queue_bytes,
            known_faults=known,
        )


@dataclass(frozen=True, slots=True)
class PlannedTransport:
    """A transport that is ready to connect, and its delivery settings."""

    name: str
    transport: Transport
    format: TimedFormat
    policy: DeliveryPolicy
    on_full: OnFull | None
    """The configured rule for a full queue; None: it depends on the speed."""
    spool: SpoolPlan | None = None
    """None: readings wait in memory only."""

    def on_full_at(self, speed: float, manual: bool = False) -> OnFull:
        """Return the rule for a full queue at a speed, or with the manual clock."""
        return self.on_full or default_on_full(0.0 if manual else speed)

    def runner(
        self,
        wake_s: float,
        observer: Observer | None = None,
        *,
        block: bool = False,
        trace: MessageTrace | None = None,
        buffer: Buffer | None = None,
    ) -> Runner:
        """Return a new runner for it; `wake_s`, `observer`, `trace` and `buffer` as in `Runner`.

        With `block` a full queue makes the run wait, unless the configuration sets `on_full`.
        """
        return Runner(
            self.name,
            self.transport,
            replace(self.policy, on_full=self.on_full_at(0.0)) if block else self.policy,
            wake_s=wake_s,
            format=self.format,
            observer=observer,
            buffer=buffer,
            trace=trace,
        )


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """A source of commands that is ready to connect."""

    name: str
    source: Source
    is_for: Callable[[Target], bool] = is_own
    """The function that returns whether this shard of the run answers for a target."""


@dataclass(frozen=True, slots=True)
class PlannedView:
    """A view that is ready to start."""

    name: str
    view: View[Any]


def make_parts(
    document: Document,
    configuration: Configuration,
    run: RunContext,
    alterations: Alterations,
    division: ShardDivision | None = None,
    *,
    shares_machine: bool = False,
) -> tuple[tuple[PlannedTransport, ...], tuple[PlannedSource, ...], tuple[PlannedView, ...]]:
    """Make the transports, sources and views. Raises ConfigError with all errors.

    Sources ignore what other shards of the `division` answer, if there are any. With
    `shares_machine` all shards of the run are on this machine.
    """
    transports, sources, views = [], [], []
    problems = list(configuration.file_problems)
    for choice in configuration.transports:
        try:
            transports.append(
                _planned_transport(choice, run, configuration.simulation.speed, alterations)
            )
        except TextError as error:
            problems.append(
                document.problem_inside((*choice.key_path, "format", *error.setting), error)
            )
        except ValueError as error:
            problems.append(document.problem(choice.key_path, str(error)))
    for source in configuration.sources:
        try:
            sources.append(_planned_source(source, run, division))
        except ValueError as error:
            problems.append(document.problem(source.key_path, str(error)))
    problems += _shared(document, configuration)
    choices = [choice for _, choice in _named(configuration)]
    claims = ((_at(one, key), claim) for one in choices for key, claim in _claims(one))
    problems += shared_by_shards(document, configuration, claims)
    needs = ((_at(one, key), need) for one in choices for key, need in one.settings.only_here())
    problems += beyond_reach(document, needs, shares_machine=shares_machine)
    for view in configuration.views:
        try:
            views.append(_planned_view(view, run))
        except ValueError as error:
            problems.append(document.problem(view.key_path, str(error)))
    if problems:
        raise ConfigError(problems)
    return tuple(transports), tuple(sources), tuple(views)


def _shared(document: Document, configuration: Configuration) -> Iterator[Problem]:
    """Yield a problem for each transport or source that needs a resource of another one."""
    owners: dict[str, str] = {}
    for name, choice in _named(configuration):
        for key, claim in _claims(choice):
            owner = owners.setdefault(claim, name)
            if owner != name:
                text = f"{key}: {claim} is already used by {owner}; choose another"
                yield document.problem(choice.key_path, text)


def _named(configuration: Configuration) -> Iterator[tuple[str, TransportChoice | SourceChoice]]:
    """Yield the transports and sources with their names for messages."""
    yield from ((f"transport {one.name}", one) for one in configuration.transports)
    yield from ((f"source {one.name}", one) for one in configuration.sources)


def _at(choice: TransportChoice | SourceChoice, key: str) -> KeyPath:
    return (*choice.key_path, *key.split("."))


def _claims(choice: TransportChoice | SourceChoice) -> Iterator[tuple[str, str]]:
    yield from choice.settings.claims()
    if isinstance(choice, TransportChoice) and choice.delivery.spool is not None:
        yield "spool.path", f"the file {choice.delivery.spool.path}"


def _planned_source(
    choice: SourceChoice, run: RunContext, division: ShardDivision | None
) -> PlannedSource:
    with _made(f"the source {choice.name!r}"):
        is_for = is_own if division is None else division.is_for
        return PlannedSource(choice.name, choice.type(choice.settings, run), is_for)


def _planned_view(choice: ViewChoice, run: RunContext) -> PlannedView:
    with _made(f"the view {choice.name!r}"):
        return PlannedView(choice.name, choice.type(choice.settings, run))


def _planned_transport(
    choice: TransportChoice, run: RunContext, speed: float, alterations: Alterations
) -> PlannedTransport:
    with _made(f"the format {choice.format_name!r}"):
        format = choice.format_type(choice.format_settings, choice.framing, run.roster)
    altering = AlteringFormat(format, alterations)
    timed = TimedFormat(choice.format_name, altering)
    with _made(f"the transport {choice.name!r}"):
        transport = choice.type(choice.settings, timed, run)
    spool = choice.delivery.spool
    return PlannedTransport(
        choice.name,
        transport,
        timed,
        _policy(choice, speed),
        choice.delivery.on_full,
        None
        if spool is None
        else SpoolPlan(Path(spool.path), int(spool.max_mb * 1e6), alterations),
    )


def message_faults(scenario: Scenario) -> Alterations:
    """Return the configured faults that alter messages."""
    return Alterations(
        (fault, Alteration(spec.name, spec.type, spec.members.settings[0]))
        for fault, spec in enumerate(scenario.faults)
        if issubclass(spec.type, MessageFault)
    )


@contextmanager
def _made(what: str) -> Iterator[None]:
    """Turn an unexpected exception of a plugin's constructor into a ValueError with its name.

    A constructor raises ValueError to refuse its settings; that passes unchanged.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, GridsimError | TextError):
            raise
        if isinstance(error, ValueError) and str(error):
            raise ValueError(printable(error)) from error
        raise ValueError(str(failure(what, error, "could not be made"))) from error


def _policy(choice: TransportChoice, speed: float) -> DeliveryPolicy:
    delivery = choice.delivery
    return DeliveryPolicy(
        queue_bytes=int(delivery.queue_mb * 1e6),
        on_full=delivery.on_full or default_on_full(speed),
        stall_timeout_s=delivery.stall_timeout_s,
        give_up_at_start=delivery.gives_up_at_start,
        on_full_set=delivery.on_full is not None,
    )
