"""The resolution of a document to a configuration: tables checked, names looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gridsim.api import Draws, RunPeriod
from gridsim.config.binder import InstructionBinder
from gridsim.config.configuration import Configuration
from gridsim.config.expand import expand
from gridsim.config.files import CheckedFiles, check_files
from gridsim.config.settings.validation import Findings, Validated, validate
from gridsim.config.tables.checkpoint import read_checkpoint_table
from gridsim.config.tables.core import OF_SCENARIOS, TOP_LEVEL
from gridsim.config.tables.defaults import check_defaults, with_defaults
from gridsim.config.tables.events import bind_events, read_events
from gridsim.config.tables.execution import read_execution
from gridsim.config.tables.fault_binding import bind_faults
from gridsim.config.tables.faults import metered, read_faults
from gridsim.config.tables.ledger import read_ledger
from gridsim.config.tables.length import read_length, with_one_end
from gridsim.config.tables.plugged import choose
from gridsim.config.tables.simulation import SimulationSettings, goes_live, start_ms
from gridsim.config.tables.site import SiteSettings
from gridsim.config.tables.sources import read_sources
from gridsim.config.tables.stanzas import PLACE, read_projects
from gridsim.config.tables.swap import swap_transports
from gridsim.config.tables.transports import TransportChoice, read_transports
from gridsim.config.tables.views import read_views, with_view, without_views
from gridsim.config.text.document import Document
from gridsim.config.text.overrides import is_utf8
from gridsim.config.text.report import ConfigError
from gridsim.errors import UsageError
from gridsim.plugins.registry import Registry
from gridsim.simulation.scenario import WeatherSpec

_AROUND = ("transports", "sources", "views", "defaults")
"""The tables that the simulation does not depend on."""


_FLAGS = (
    ("simulation", "seed"),
    ("simulation", "speed"),
    ("simulation", "start"),
    ("simulation", "until"),
    ("execution", "epoch"),
)
"""The keys that an option of the same name overrides."""


@dataclass(frozen=True, slots=True)
class Flags:
    """The options of the command line that override the file."""

    seed: int | None = None
    speed: float | None = None
    start: str | None = None
    epoch: str | None = None
    until: str | None = None
    transport: str | None = None
    """The type of the only transport."""
    views: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The types of views to add if the file does not have them, with settings that override the
    file's.
    """
    without_views: tuple[str, ...] = ()
    """The types of views that are left out."""


def resolve(
    document: Document,
    registry: Registry,
    *,
    now_ms: int,
    flags: Flags,
    length_ms: int | None = None,
    present_ms: int | None = None,
    files: CheckedFiles = "all",
    simulation_only: bool = False,
    is_resumed: bool = False,
) -> Configuration:
    """Return the configuration of a document. Raises ConfigError with all problems.

    With `simulation_only` it has no transports, sources and views, and their tables are not read.

    `now_ms` is the current time, UTC, for `start = "now"`, and `present_ms` that for
    `until = "now"`, if it differs. `length_ms` is the duration of the run; None: that of the
    document. `files` are the files that are checked: all that a run uses, those that it reads
    (without the ledger that it writes), or none. If only files have problems, the result holds
    them, so that they are reported together with those of transports. `is_resumed`: the run
    continues an earlier one, whose files are its own.
    """
    for table, name in _FLAGS:
        if (value := getattr(flags, name)) is not None:
            if isinstance(value, str) and not is_utf8(value):
                raise UsageError(f"--{name}: error: is not UTF-8")
            document = document.overlaid((table, name), value, f"--{name}")
    document = with_one_end(document, flags.until, length_ms)
    if flags.transport is not None and not is_utf8(flags.transport):
        raise UsageError("--transport: error: is not UTF-8")
    if simulation_only:
        document = document.without([(key,) for key in _AROUND if key in document.data])
    document = swap_transports(document, registry, flags.transport)
    document = without_views(document, flags.without_views)
    for view, settings in flags.views.items():
        document = with_view(document, view, settings)
    document = with_defaults(document, registry)
    data = document.data
    findings = Findings(document)
    check_defaults(findings, registry)
    sheets = [findings, *(Findings(scenario) for scenario in document.scenarios)]
    for table in data.keys() - set(TOP_LEVEL):
        if table in SimulationSettings.model_fields:
            findings.add((table,), f"{table!r} belongs under [simulation]", at="key")
        else:
            findings.unknown((table,), "a table of the configuration", TOP_LEVEL)
    for sheet in sheets[1:]:
        for table in sheet.document.data.keys() - set(OF_SCENARIOS):
            sheet.unknown((table,), "a table of a scenario file", OF_SCENARIOS)
    simulation = _simulation(findings, data)
    site = _site(findings, data)
    weather = _weather(findings, registry, data)
    tick_ms = round(simulation.tick_s * 1000) if simulation else None
    projects = read_projects(findings, registry, data, tick_ms)
    transports: tuple[TransportChoice, ...] = ()
    if not simulation_only:
        transports = read_transports(findings, registry, data, simulation)
    sources = read_sources(findings, registry, data)
    views = read_views(findings, registry, data)
    events = read_events(sheets)
    faults = read_faults(sheets, registry)
    if site is not None:
        faults = metered(findings, registry, site.settings.meter_class, faults)
    ledger = read_ledger(findings, data)
    checkpoint = read_checkpoint_table(findings, data)
    execution = read_execution(findings, data)
    start, epoch = 0, None
    if simulation is not None and site is not None:
        try:
            start = start_ms(simulation.start, now_ms, site.settings.timezone)
        except ValueError as error:
            findings.add(("simulation", "start"), f"'start' {error}")
        try:
            if execution is not None:
                epoch = execution.epoch_ms(start, site.settings.timezone)
        except ValueError as error:
            findings.add(("execution", "epoch"), f"'epoch' {error}")
    if simulation is not None and goes_live(simulation) and epoch not in (None, start):
        findings.add(("execution", "epoch"), "'epoch' must be \"start\" if 'until' is \"now\"")
    period = None
    if simulation is not None and site is not None and tick_ms is not None:
        now = now_ms if present_ms is None else present_ms
        length_ms = read_length(
            findings, simulation, start, now, site.settings.timezone, length_ms, is_resumed
        )
        last = None if length_ms is None else start + max(0, length_ms - tick_ms)
        period = RunPeriod(start, last, site.settings.timezone, is_resumed)
    wrong_files = Findings(document)
    if files != "none":
        outputs = files == "all"
        written = (ledger, checkpoint, transports) if outputs else (None, None, ())
        wrong_files = check_files(findings, data, *written, period)
    _refuse(sheets, wrong_files)
    if simulation is None or site is None or weather is None or tick_ms is None:
        raise AssertionError("a table was refused without a finding")
    if execution is None:
        raise AssertionError("a table was refused without a finding")
    scenario = expand(
        findings,
        projects,
        site,
        weather,
        draws=Draws(simulation.seed),
        start_ms=start,
        tick_ms=tick_ms,
        on_error=simulation.on_error,
        wanted=_wanted(simulation, transports),
    )
    scenario = bind_events(events, scenario, site.settings.timezone)
    scenario = bind_faults(faults, scenario, transports, site.settings.timezone)
    _refuse(sheets, wrong_files)
    binder = InstructionBinder.of(registry, transports, scenario.roster, site.settings.timezone)
    rebound_ms = None
    if ledger is not None and ledger.counterfactual:
        rebound_ms = round(ledger.rebound_s * 1000)
    scenario = replace(scenario, binder=binder, rebound_ms=rebound_ms)
    return Configuration(
        simulation,
        start,
        tick_ms,
        length_ms,
        scenario,
        transports,
        sources,
        ledger,
        site.settings.timezone,
        tuple(document.report_of(wrong_files)),
        views,
        checkpoint,
        execution,
        epoch,
    )


def _refuse(sheets: Sequence[Findings], files: Findings) -> None:
    """Raise ConfigError if there is a finding in any of the sheets, together with `files`."""
    problems = [problem for sheet in sheets for problem in sheet.document.report(sheet)]
    if problems:
        raise ConfigError([*problems, *files.document.report_of(files)])


def _simulation(findings: Findings, data: Mapping[str, Any]) -> SimulationSettings | None:
    table = findings.table(data.get("simulation", {}), ("simulation",), "write [simulation]")
    if table is None:
        return None
    found = validate(findings, SimulationSettings, table, ("simulation",), owner="[simulation]")
    return found.settings if found else None


def _wanted(
    simulation: SimulationSettings, transports: Sequence[TransportChoice]
) -> tuple[str, ...]:
    """Return the names of the columns that parts of the run use."""
    of_transports = (name for one in transports for name in one.wanted)
    return (*simulation.measurands, *of_transports)


def _site(findings: Findings, data: Mapping[str, Any]) -> Validated[SiteSettings] | None:
    table = findings.table(data.get("site", {}), ("site",), "write [site]")
    if table is None:
        return None
    return validate(findings, SiteSettings, table, ("site",), owner="[site]", spread=PLACE)


def _weather(findings: Findings, registry: Registry, data: Mapping[str, Any]) -> WeatherSpec | None:
    path = ("weather",)
    table = findings.table(
        data.get("weather", {}), path, 'write [weather], then type = "synthetic"'
    )
    if table is None:
        return None
    plugged = choose(findings, registry, "weather", table, path)
    if plugged is None:
        return None
    return WeatherSpec(plugged.name, plugged.type, plugged.settings)
