"""The plan of a playback: the recording, and the transports of a configuration."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from gridsim.api import Draws, Keys, Roster, RunContext, Settings, Weather, rfc3339
from gridsim.config.configuration import Configuration
from gridsim.config.settings.validation import Findings
from gridsim.config.tables.defaults import with_defaults
from gridsim.config.tables.simulation import SimulationSettings
from gridsim.config.tables.swap import swap_transports
from gridsim.config.tables.transports import TransportChoice, read_transports
from gridsim.config.text.document import Document
from gridsim.config.text.environment import gather
from gridsim.config.text.load import read
from gridsim.config.text.report import ConfigError, Problem
from gridsim.contracts.shard import WHOLE
from gridsim.contracts.sites import Sites
from gridsim.contracts.speed import check_speed
from gridsim.delivery import Alterations
from gridsim.errors import UsageError
from gridsim.ledger.file import is_ledger
from gridsim.play.batches import recorded_format
from gridsim.play.playback import Playback, PlayCourse
from gridsim.play.recording import RecordedFile, RecordedLedger, Recording
from gridsim.play.records import RecordReader
from gridsim.play.survey import RecordingSurvey, survey_file
from gridsim.plugins.registry import Registry
from gridsim.plugins.services import Services
from gridsim.running.parts import make_parts
from gridsim.running.plan import DEFAULT_CONFIG, Plan, load_plugins_of
from gridsim.running.probes import Probes
from gridsim.running.runfile import RunFile
from gridsim.running.sharding import ShardDivision
from gridsim.simulation.scenario import Scenario, WeatherSpec
from gridsim.text.progress import Progress
from gridsim.verify.fields import parse_names
from gridsim.verify.options import zone_of
from gridsim.verify.times import TimeReader

_MOST_LOOPS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PlayOptions:
    """The options of `gridsim play`."""

    path: str
    config: Path = DEFAULT_CONFIG
    plugins: tuple[Path, ...] = ()
    overrides: tuple[str, ...] = ()
    transport: str | None = None
    """The type of the only transport."""
    speed: float = 1.0
    loops: int = 1
    """The number of times that it is played; 0: until it is stopped."""
    shift: bool = False
    """True: move the times so that the recording begins now."""
    fields: tuple[str, ...] = ()
    assume_zone: str | None = None
    now_ms: int | None = None
    """The present for `shift`, UTC; None: that of the clock."""


@dataclass(frozen=True, slots=True)
class PlayPlan:
    """A playback that has been checked."""

    plan: Plan
    survey: RecordingSurvey
    course: PlayCourse
    notes: Sequence[str] = field(default_factory=list)
    """The lines about the configuration, for the log."""


def make_play_plan(options: PlayOptions, progress: Progress | None = None) -> PlayPlan:
    """Read the recording once, and check everything. Raises UsageError with all errors."""
    try:
        check_speed(options.speed)
    except ValueError as error:
        raise UsageError(f"--speed: error: {error}") from None
    if not 0 <= options.loops <= _MOST_LOOPS:
        raise UsageError("--loop: error: must be 0 or more")
    names = parse_names(options.fields, None)
    zone = zone_of(options.assume_zone)
    document = read(
        options.config, None, overrides=options.overrides, environment=gather(Path.cwd())
    )
    document, host = load_plugins_of(document, options.plugins)
    document, choices, notes = _transports(document, host.registry, options)
    if problems := list(_into_itself(document, choices, options.path)):
        raise ConfigError(problems)
    recording = _opened(options.path, names, TimeReader(zone), progress or Progress())
    survey = recording.survey
    course = _course(survey, options)
    if isinstance(recording, RecordedFile):
        header = recording.reader.header[0] if survey.kind == "csv" else b""
        choices = tuple(_as_recorded(one, options.path, survey, header) for one in choices)
    configuration = _configuration(survey, course, choices, options.speed)
    services, run_file = Services(), RunFile()
    run = RunContext(survey.roster, course.start_ms, services.get, run_file.announce)
    scenario = configuration.scenario
    whole = ShardDivision(WHOLE, scenario)
    transports, _, _ = make_parts(document, configuration, run, Alterations(), whole)
    plan = Plan(
        options.config,
        configuration,
        course.ticks,
        transports,
        Probes({}, run),
        services,
        run_file=run_file,
        registry=host.registry,
        simulation=lambda: Playback(scenario, recording, course),
    )
    return PlayPlan(plan, survey, course, notes)


def _opened(path: str, names: dict[str, str], time: TimeReader, progress: Progress) -> Recording:
    if not Path(path).exists() and path != "-":
        raise UsageError(f"{path}: error: there is no such file")
    if path != "-" and is_ledger(Path(path)):
        if names:
            raise UsageError("--field: error: a ledger has the fields of the record: leave it out")
        return RecordedLedger.of(Path(path))
    reader = RecordReader(path, names, time)
    survey = survey_file(reader, progress)
    return RecordedFile(reader, survey)


def _transports(
    document: Document, registry: Registry, options: PlayOptions
) -> tuple[Document, tuple[TransportChoice, ...], list[str]]:
    """Return the transports of the configuration; other tables are not read."""
    document = swap_transports(document, registry, options.transport)
    document = with_defaults(document, registry)
    findings = Findings(document)
    speed = SimulationSettings(speed=options.speed)
    choices = read_transports(findings, registry, document.data, speed)
    problems = document.report(findings)
    if problems:
        raise ConfigError(problems)
    notes = [
        f"{one.name}: play does not use the spool {one.delivery.spool.path}"
        for one in choices
        if one.delivery.spool is not None
    ]
    without = tuple(
        replace(one, delivery=one.delivery.model_copy(update={"spool": None})) for one in choices
    )
    return document, without, notes


def _into_itself(
    document: Document, choices: Sequence[TransportChoice], path: str
) -> Iterator[Problem]:
    """Yield a problem for each transport that would write to the recording."""
    for one in choices:
        for key, claim in one.settings.claims():
            written = claim.removeprefix("the file ")
            if written != claim and os.path.exists(written) and os.path.samefile(written, path):
                yield document.problem(
                    (*one.key_path, key), f"{key!r}: {path} is the recording; write to another file"
                )


def _as_recorded(
    choice: TransportChoice, path: str, survey: RecordingSurvey, header: bytes
) -> TransportChoice:
    """Return a transport that writes the texts of the recording, if they have its format."""
    if choice.type.writes_columns:
        return choice
    if choice.format_name == survey.kind:
        return replace(choice, format_type=cast("Any", recorded_format(survey.kind, header)))
    if survey.lacks:
        raise UsageError(
            f"{path}: error: not every record has {', '.join(survey.lacks)}, which the format "
            f'{choice.format_name} of {choice.name} writes; choose format = "{survey.kind}"'
        )
    return choice


def _course(survey: RecordingSurvey, options: PlayOptions) -> PlayCourse:
    tick_ms = survey.tick_ms
    last_ticks = (survey.last_ms - survey.first_ms) // tick_ms + 1
    # Times are moved by whole seconds, so that a loop takes some.
    whole = math.lcm(tick_ms, 1000) // tick_ms
    loop_ticks = -(-last_ticks // whole) * whole if options.shift else last_ticks
    now_ms = time.time_ns() // 1_000_000 if options.now_ms is None else options.now_ms
    shift_s = (now_ms - survey.first_ms) // 1000 if options.shift else 0
    return PlayCourse(
        survey.first_ms + 1000 * shift_s,
        tick_ms,
        shift_s,
        options.loops,
        options.shift,
        loop_ticks,
        last_ticks,
    )


def _configuration(
    survey: RecordingSurvey, course: PlayCourse, choices: tuple[TransportChoice, ...], speed: float
) -> Configuration:
    tick_s = course.tick_ms / 1000
    simulation = SimulationSettings.model_construct(
        **SimulationSettings().model_dump() | {"tick_s": tick_s, "speed": speed},
    )
    length_ms = None if course.ticks is None else course.ticks * course.tick_ms
    return Configuration(
        simulation,
        course.start_ms,
        course.tick_ms,
        length_ms,
        _scenario(survey, course),
        choices,
    )


def _scenario(survey: RecordingSurvey, course: PlayCourse) -> Scenario:
    """Return a scenario with the devices of a recording, and without models."""
    roster: Roster = survey.roster
    n = len(roster.project_id)
    nowhere = np.zeros(n)
    return Scenario(
        draws=Draws(0),
        start_ms=course.start_ms,
        tick_ms=course.tick_ms,
        on_error="stop",
        roster=roster,
        sites=Sites(
            roster.project_id,
            cast("Keys", np.zeros(n, np.uint64)),
            nowhere,
            nowhere,
            nowhere,
            ["UTC"] * n,
        ),
        contract_threshold=np.array(
            [survey.thresholds.get(one, 0.0) for one in roster.project_id], np.float64
        ),
        report_every_ticks=np.ones(len(roster), np.int64),
        weather=WeatherSpec("none", cast("Any", Weather), Settings()),
        loads=(),
        baselines=(),
        fleets=(),
    )


def course_lines(played: PlayPlan, path: str) -> list[str]:
    """Return what is played, and when."""
    survey, course = played.survey, played.course
    first, last = rfc3339(survey.first_ms), rfc3339(survey.last_ms)
    lines = [
        f"{path}: {survey.readings:,} readings of {len(survey.roster):,} DERs in "
        f"{len(survey.roster.project_id):,} projects, {first} to {last}"
    ]
    if course.shift_s:
        lines.append(
            f"times are moved by {course.shift_s:+,} s, to begin at {rfc3339(course.start_ms)}"
        )
    if course.loops != 1:
        lines.append(
            "played again and again" if not course.loops else f"played {course.loops:,} times"
        )
    if survey.late:
        lines.append(
            f"{survey.late:,} readings have an earlier time than one before them, and are played "
            "in the order of the file"
        )
    return [*lines, *played.notes]
