"""The plan of a run, made from the command line's options: all checked, nothing connected."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gridsim.api import MessageFault, RunContext, Source, Transport, View
from gridsim.config.configuration import Configuration
from gridsim.config.files import CheckedFiles
from gridsim.config.resolve import Flags, resolve
from gridsim.config.tables.ledger import fingerprint
from gridsim.config.tables.sources import SourceChoice
from gridsim.config.tables.transports import TransportChoice
from gridsim.config.tables.views import ViewChoice
from gridsim.config.text.document import Finding
from gridsim.config.text.environment import gather
from gridsim.config.text.load import Content, Document, read
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
from gridsim.errors import GridsimError, UsageError, failure, printable
from gridsim.ledger import About, Ledger, about_run
from gridsim.plugins.host import PluginHost
from gridsim.plugins.identity import identities_of
from gridsim.plugins.registry import Registry
from gridsim.plugins.services import Services
from gridsim.running.durations import seconds
from gridsim.running.inbox import RecordedInbox
from gridsim.running.probes import Probes
from gridsim.running.runfile import RunFile
from gridsim.running.runs import RunFinder
from gridsim.simulation.scenario import Scenario

DEFAULT_CONFIG = Path(__file__).parents[1] / "default.toml"
DEMO_CONFIG = DEFAULT_CONFIG.with_name("demo.toml")


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    config: Path = DEFAULT_CONFIG
    """The file; with `content` only a name for messages."""
    duration: str | None = None
    flags: Flags = field(default_factory=Flags)
    plugins: tuple[Path, ...] = ()
    overrides: tuple[str, ...] = ()
    run: str | None = None
    """The name of the run that a command is for; None: the one of the configuration."""
    content: Content | None = None
    """The configuration as TOML text or as tables, instead of a file."""


@dataclass(frozen=True, slots=True)
class PlannedTransport:
    """A transport that is ready to connect, and its delivery settings."""

    name: str
    transport: Transport
    format: TimedFormat
    policy: DeliveryPolicy
    on_full: OnFull | None
    """The configured rule for a full queue; None: it depends on the speed."""

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
    ) -> Runner:
        """Return a new runner for it; `wake_s`, `observer` and `trace` as in `Runner`.

        With `block` a full queue makes the run wait, unless the configuration sets `on_full`.
        """
        return Runner(
            self.name,
            self.transport,
            replace(self.policy, on_full=self.on_full_at(0.0)) if block else self.policy,
            wake_s=wake_s,
            format=self.format,
            observer=observer,
            trace=trace,
        )


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """A source of commands that is ready to connect."""

    name: str
    source: Source


@dataclass(frozen=True, slots=True)
class PlannedView:
    """A view that is ready to start."""

    name: str
    view: View[Any]


@dataclass(frozen=True, slots=True)
class LedgerPlan:
    """The ledger that a run will write."""

    path: Path
    overwrite: bool
    about: About

    def open(self) -> Ledger:
        """Create its file. Raises UsageError if a file is already there, or LedgerError."""
        return Ledger(self.path, self.about, overwrite=self.overwrite)


@dataclass(frozen=True, slots=True)
class Plan:
    """A run that has been checked."""

    config: Path
    configuration: Configuration
    ticks: int | None
    transports: tuple[PlannedTransport, ...]
    probes: Probes
    services: Services
    """The objects that the transports, sources and probes of the run share."""
    sources: tuple[PlannedSource, ...] = ()
    ledger: LedgerPlan | None = None
    alterations: Alterations = field(default_factory=Alterations)
    """The faults that alter messages; it grows as faults are injected."""
    about: About | None = None
    """The identity of the run: configuration, seed, plugins."""
    run_file: RunFile = field(default_factory=RunFile)
    """The file by which other processes find the run; it is written when the run starts."""
    plugins: tuple[Path, ...] = ()
    """The local plugins of the command line."""
    recorded: RecordedInbox | None = None
    """The instructions of the run that is repeated; None: they come from sources and programs."""
    views: tuple[PlannedView, ...] = ()
    registry: Registry = field(default_factory=Registry)
    """All plugins that the configuration can use."""

    def close(self) -> None:
        """Close the services that the run's transports and sources share."""
        self.services.close()


def load_plugins(local: tuple[Path, ...]) -> PluginHost:
    """Load the installed plugins, then the local ones. Raises UsageError."""
    host = PluginHost()
    host.load_installed()
    for path in local:
        host.load_local(path)
    return host


def find_plugins(config: Path | None, local: tuple[Path, ...]) -> Registry:
    """Find all plugins that a configuration can use. Raises UsageError."""
    of_config: tuple[Path, ...] = ()
    if config is not None:
        of_config = read(config, environment=gather(Path.cwd())).plugin_paths
    return load_plugins((*of_config, *local)).registry


def make_plan(options: Options, *, files: CheckedFiles = "all") -> Plan:
    """Read and check everything. Raises UsageError with all errors.

    `files` is as in `resolve`.
    """
    document = read(
        options.config,
        options.content,
        overrides=options.overrides,
        environment=gather(Path.cwd()),
    )
    document, host = load_plugins_of(document, options.plugins)
    now_ms = time.time_ns() // 1_000_000
    duration_ms = None
    if options.duration is not None:
        duration_ms = round(1000 * seconds(options.duration, "--duration"))
    configuration = resolve(
        document,
        host.registry,
        now_ms=now_ms,
        flags=options.flags,
        duration_ms=duration_ms,
        files=files,
    )
    ticks = _ticks(options.duration, configuration.tick_ms)
    services = Services()
    run_file = RunFile()
    run = RunContext(
        configuration.scenario.roster,
        configuration.start_ms,
        services.get,
        run_file.announce,
        RunFinder(options.config, options.run).announced,
    )
    alterations = message_faults(configuration.scenario)
    transports, sources, views = _parts(document, configuration, run, alterations)
    probes = Probes({e.name: e.type for e in host.registry if e.kind == "probe"}, run)
    about = about_run(configuration, fingerprint(document), _plugins(configuration, host.registry))
    ledger = None
    if (settings := configuration.ledger) is not None:
        ledger = LedgerPlan(Path(settings.path), settings.overwrite, about)
    return Plan(
        options.config,
        configuration,
        ticks,
        transports,
        probes,
        services,
        sources,
        ledger,
        alterations,
        about,
        run_file,
        options.plugins,
        views=views,
        registry=host.registry,
    )


def load_plugins_of(document: Document, local: tuple[Path, ...]) -> tuple[Document, PluginHost]:
    """Load all plugins; return the document with a finding for each of its own that fails.

    It raises UsageError if a plugin of the command line fails.
    """
    host = load_plugins(local)
    findings = list(document.findings)
    for at, path in document.plugin_places:
        try:
            host.load_local(path)
        except UsageError as error:
            findings.append(Finding(at, str(error)))
    return replace(document, findings=tuple(findings)), host


def _parts(
    document: Document, configuration: Configuration, run: RunContext, alterations: Alterations
) -> tuple[tuple[PlannedTransport, ...], tuple[PlannedSource, ...], tuple[PlannedView, ...]]:
    """Make the transports, sources and views. Raises ConfigError with all errors."""
    transports, sources, views = [], [], []
    problems = list(configuration.file_problems)
    for choice in configuration.transports:
        try:
            transports.append(
                _planned_transport(choice, run, configuration.simulation.speed, alterations)
            )
        except ValueError as error:
            problems.append(document.problem(choice.key_path, str(error)))
    for source in configuration.sources:
        try:
            sources.append(_planned_source(source, run))
        except ValueError as error:
            problems.append(document.problem(source.key_path, str(error)))
    problems += _shared(document, configuration)
    for view in configuration.views:
        try:
            views.append(_planned_view(view, run))
        except ValueError as error:
            problems.append(document.problem(view.key_path, str(error)))
    if problems:
        raise ConfigError(problems)
    return tuple(transports), tuple(sources), tuple(views)


def _shared(document: Document, configuration: Configuration) -> Iterator[Problem]:
    """Yield a problem for each transport or source that uses what another one has to itself."""
    owners: dict[str, str] = {}
    choices: list[tuple[str, TransportChoice | SourceChoice]] = [
        *((f"transport {one.name}", one) for one in configuration.transports),
        *((f"source {one.name}", one) for one in configuration.sources),
    ]
    for name, choice in choices:
        for key, claim in choice.settings.claims():
            owner = owners.setdefault(claim, name)
            if owner != name:
                text = f"{key}: {claim} is already used by {owner}; choose another"
                yield document.problem(choice.key_path, text)


def _planned_source(choice: SourceChoice, run: RunContext) -> PlannedSource:
    with _made(f"the source {choice.name!r}"):
        return PlannedSource(choice.name, choice.type(choice.settings, run))


def _planned_view(choice: ViewChoice, run: RunContext) -> PlannedView:
    with _made(f"the view {choice.name!r}"):
        return PlannedView(choice.name, choice.type(choice.settings, run))


def _plugins(configuration: Configuration, registry: Registry) -> dict[str, str]:
    """Return the identities of the plugins that readings and their bytes depend on."""
    scenario = configuration.scenario
    used = [("weather", scenario.weather.name)]
    used += [("der", spec.name) for spec in scenario.fleets]
    used += [("load", spec.name) for spec in scenario.loads]
    used += [("baseline", spec.name) for spec in scenario.baselines]
    used += [("format", choice.format_name) for choice in configuration.transports]
    # Any fault may be injected later.
    used += [("fault", name) for name in registry.names("fault")]
    return identities_of(registry, used)


def message_faults(scenario: Scenario) -> Alterations:
    """Return the configured faults that alter messages."""
    return Alterations(
        (fault, Alteration(spec.name, spec.type, spec.members.settings[0]))
        for fault, spec in enumerate(scenario.faults)
        if issubclass(spec.type, MessageFault)
    )


def _planned_transport(
    choice: TransportChoice, run: RunContext, speed: float, alterations: Alterations
) -> PlannedTransport:
    with _made(f"the format {choice.format_name!r}"):
        format = choice.format_type(choice.format_settings, choice.framing, run.roster)
    altering = AlteringFormat(format, alterations)
    timed = TimedFormat(choice.format_name, altering)
    with _made(f"the transport {choice.name!r}"):
        transport = choice.type(choice.settings, timed, run)
    return PlannedTransport(
        choice.name, transport, timed, _policy(choice, speed), choice.delivery.on_full
    )


@contextmanager
def _made(what: str) -> Iterator[None]:
    """Turn an unexpected exception of a plugin's constructor into a ValueError with its name.

    A constructor raises ValueError to refuse its settings; that passes unchanged.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, GridsimError):
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
        give_up_at_start=delivery.startup == "fail",
        on_full_set=delivery.on_full is not None,
    )


def check_speed(speed: float) -> None:
    """Raise ValueError if a speed is outside the bounds of the configuration."""
    if not (speed == 0 or 1e-3 <= speed <= 1e6):
        raise ValueError(f"speed must be 0, or from 0.001 to 1,000,000, not {speed:g}")


def _ticks(duration: str | None, tick_ms: int) -> int | None:
    if duration is None:
        return None
    milliseconds = 1000 * seconds(duration, "--duration")
    ticks = round(milliseconds / tick_ms)
    tick = f"ticks of {tick_ms / 1000:g} s"
    if milliseconds < tick_ms - 0.5:
        raise UsageError(f"--duration: error: {duration} is too short: the run has {tick}")
    if abs(ticks * tick_ms - milliseconds) > 0.5:
        raise UsageError(f"--duration: error: {duration} is not a whole number of {tick}")
    return ticks
