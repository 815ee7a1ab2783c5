"""The plan of a run, made from the command line's options: all checked, nothing connected."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gridsim.api import RunContext
from gridsim.config.configuration import Configuration
from gridsim.config.files import CheckedFiles
from gridsim.config.resolve import Flags, resolve
from gridsim.config.tables.ledger import fingerprint
from gridsim.config.tables.simulation import goes_live
from gridsim.config.text.document import Finding
from gridsim.config.text.environment import gather
from gridsim.config.text.load import Content, Document, read
from gridsim.contracts.run_context import Announcement
from gridsim.contracts.shard import EVERY, WHOLE, Shard
from gridsim.delivery import Alterations
from gridsim.errors import UsageError
from gridsim.ledger import About, Continuation, Ledger
from gridsim.plugins.host import PluginHost
from gridsim.plugins.registry import Registry
from gridsim.plugins.services import Services
from gridsim.running.about import about_run
from gridsim.running.checkpoint_plan import CheckpointPlan
from gridsim.running.durations import seconds, ticks_of
from gridsim.running.inbox import RecordedInbox
from gridsim.running.overridden import only_of_transports
from gridsim.running.parts import (
    PlannedSource,
    PlannedTransport,
    PlannedView,
    make_parts,
    message_faults,
)
from gridsim.running.probes import Probes
from gridsim.running.remake import refuse_fixed
from gridsim.running.resume import check_duration, checkpoint_plan, continued_ledger, kept_run
from gridsim.running.runfile import RunFile
from gridsim.running.runs import RunFinder
from gridsim.running.sharding import ShardDivision
from gridsim.simulation.step import Simulation

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
    """The name of the run that a command is for; None: the run of the configuration."""
    content: Content | None = None
    """The configuration as TOML text or as tables, instead of a file."""
    adapt: Callable[[Document], Document] | None = None
    """A function that changes the configuration after it was read."""
    resume: bool = False
    """True: continue the run of the checkpoint, if there is one."""
    shard: Shard | None = None
    """The part of the run that this process simulates; None: all of it."""
    shares_machine: bool = False
    """True: all shards of the run are on this machine, and can use what only it offers."""


@dataclass(frozen=True, slots=True)
class LedgerPlan:
    """The ledger that a run will write."""

    path: Path
    overwrite: bool
    about: About
    is_begun: bool = True
    """False if a resumed run was killed before it had created its ledger."""

    def open(self, continuation: Continuation | None = None, earlier: int = 0) -> Ledger:
        """Create its file, or continue that of a run that was killed.

        `earlier`: the number of readings of earlier runs that wait in spools. Raises UsageError if
        a file is already there, or LedgerError.
        """
        about = replace(self.about, earlier=earlier)
        at = continuation if self.is_begun else None
        return Ledger(self.path, about, overwrite=self.overwrite, continuation=at)


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
    simulation: Callable[[], Simulation] | None = None
    """The function that makes what is stepped, such as the playback of a recording; None: the
    simulation of the scenario."""
    options: Options | None = None
    """The options that it was made of; None: it cannot be made again."""
    not_set: Mapping[str, str] = field(default_factory=dict)
    """The settings of sources that `--set` gave to a transport only, by the transport's name."""
    division: str = ""
    """The digest of how the projects are divided into shards; "" for a run without shards."""
    checkpoint: CheckpointPlan | None = None
    """The checkpoints that the run writes; None: it writes none."""
    given: dict[str, Announcement] = field(default_factory=dict)
    """The values that the driver of the run's shards has announced, for transports that connect."""

    @property
    def goes_live(self) -> bool:
        """True if the run continues at its speed once it has come to the present."""
        return self.recorded is None and goes_live(self.configuration.simulation)

    def check_real_time(self) -> None:
        """Raise ValueError if a transport would make a run in real time wait."""
        for transport in self.transports:
            if transport.on_full == "block":
                raise ValueError(
                    f"transport {transport.name} has on_full = 'block', which needs speed 0 or a "
                    "speed above 1: the run would fall behind real time"
                )

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


def make_plan(
    options: Options, *, files: CheckedFiles = "all", reloads: Plan | None = None
) -> Plan:
    """Read and check everything. Raises UsageError with all errors.

    `files` is as in `resolve`. `reloads` is the plan of a run that goes on with the new one.
    """
    document = read(
        options.config,
        options.content,
        overrides=options.overrides,
        environment=gather(Path.cwd()),
    )
    if options.adapt is not None:
        document = options.adapt(document)
    document = replace(document, shard=options.shard or (EVERY if _is_divided(document) else WHOLE))
    document, host = load_plugins_of(document, options.plugins)
    kept = kept_run(document) if options.resume and reloads is None else None
    present_ms = now_ms = time.time_ns() // 1_000_000
    if kept is not None:
        # `start = "now"` means the start of the first life.
        now_ms = kept.checkpoint.facts.start_ms
        files = "inputs" if files == "all" else files
    if reloads is not None:
        now_ms = reloads.configuration.start_ms
    length_ms = None
    if options.duration is not None:
        length_ms = round(1000 * seconds(options.duration, "--duration"))
    configuration = resolve(
        document,
        host.registry,
        now_ms=now_ms,
        flags=options.flags,
        length_ms=length_ms,
        present_ms=present_ms,
        files=files,
        is_resumed=kept is not None,
    )
    events = [spec.id for spec in configuration.scenario.events]
    division = ShardDivision(
        document.shard, configuration.scenario, answers=bool(configuration.sources)
    )
    configuration = replace(configuration, scenario=division.scenario)
    if reloads is not None:
        division.check_kept(reloads.division)
        refuse_fixed(document, reloads.configuration, configuration)
    ticks = ticks_of(options.duration, configuration.tick_ms, configuration.length_ms)
    if kept is not None:
        check_duration(kept, ticks)
    services = Services() if reloads is None else reloads.services
    run_file = RunFile() if reloads is None else reloads.run_file
    given: dict[str, Announcement] = {}
    is_default = options.config == DEFAULT_CONFIG
    run = RunContext(
        configuration.scenario.roster,
        configuration.start_ms,
        services.get,
        run_file.announce,
        RunFinder(options.config, options.run, is_default=is_default).announced,
        is_resumed=kept is not None,
        shard=document.shard,
        given=given,
    )
    # After a reload, faults have other numbers than in the configuration.
    alterations = reloads.alterations if reloads else message_faults(configuration.scenario)
    transports, sources, views = make_parts(
        document,
        configuration,
        run,
        alterations,
        division,
        shares_machine=options.shares_machine,
    )
    probes = Probes({e.name: e.type for e in host.registry if e.kind == "probe"}, run)
    about = about_run(configuration, fingerprint(document), host.registry)
    if options.shard is not None:
        about = replace(about, shard=options.shard, events=events)
    if kept is not None:
        about = replace(about, run=kept.checkpoint.facts.run)
    checkpoint = checkpoint_plan(document, configuration, about, kept, resume=options.resume)
    ledger = None
    if (settings := configuration.ledger) is not None:
        path, begun = Path(settings.path), True
        if kept is not None:
            path, begun = continued_ledger(path, kept)
        ledger = LedgerPlan(path, settings.overwrite or not begun, about, begun)
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
        not_set=only_of_transports(document, configuration),
        registry=host.registry,
        checkpoint=checkpoint,
        options=options,
        division=division.fingerprint,
        given=given,
    )


def _is_divided(document: Document) -> bool:
    """Return whether the run gets shards, in a document that is not checked yet."""
    execution = document.data.get("execution")
    return isinstance(execution, dict) and execution.get("engine", "local") != "local"


def load_plugins_of(document: Document, local: tuple[Path, ...]) -> tuple[Document, PluginHost]:
    """Load all plugins; return the document with a finding for each of its plugins that fails.

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
