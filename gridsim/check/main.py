"""The steps of `gridsim check`: all days, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from gridsim.check.conducting import Conductor
from gridsim.check.dayfiles import DayFiles
from gridsim.check.days import NamedDay
from gridsim.check.overlay import overlaid
from gridsim.check.result import DayResult, ReportCard
from gridsim.check.system import SystemUnderTest, read_system
from gridsim.check.table import day_line
from gridsim.contracts.hints import choose_from
from gridsim.errors import GridsimError, NeverConnectedError, UsageError
from gridsim.plugins.registry import Registry
from gridsim.running.plan import Options, Plan, load_plugins, make_plan
from gridsim.text.progress import Progress


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The options of the command line."""

    system: Path
    only: tuple[str, ...] = ()
    keep: Path | None = None
    plugins: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedDay:
    """A day that has been checked, or the reason why it is skipped."""

    day: NamedDay
    plan: Plan
    files: DayFiles
    skipped: str = ""


@dataclass(slots=True)
class _Results:
    """The results so far."""

    card: ReportCard
    on_result: Callable[[DayResult], None]
    left: list[str] = field(default_factory=list)

    def add(self, result: DayResult) -> None:
        self.card = replace(self.card, results=(*self.card.results, result))
        self.on_result(result)

    def skip_rest(self, days: Sequence[str], reason: str) -> None:
        for name in days:
            self.add(DayResult(name, "skipped", reasons=(reason,)))


def check(options: CheckOptions, progress: Progress, say: Callable[[str], None]) -> ReportCard:
    """Run all days against the user's system, and return the report card.

    Raises UsageError, before anything runs, if its file or a day is not valid. Ctrl-C ends the
    check: the days that are left are skipped.
    """
    registry = load_plugins(options.plugins).registry
    system = read_system(options.system, registry)
    days = _chosen(system, options.only)
    with _folder(options.keep) as folder:
        planned = [_planned(day, system, registry, folder, options) for day in days]
        return _conduct_all(planned, system, options, progress, say)


def _conduct_all(
    planned: Sequence[PlannedDay],
    system: SystemUnderTest,
    options: CheckOptions,
    progress: Progress,
    say: Callable[[str], None],
) -> ReportCard:
    results = _Results(ReportCard(system.name, ()), lambda result: say(day_line(result)))
    names = [one.day.name for one in planned]
    for place, one in enumerate(planned):
        name = one.day.name
        if one.skipped:
            results.add(DayResult(name, "skipped", reasons=(one.skipped,)))
            continue
        try:
            conductor = Conductor(
                one.day,
                one.plan,
                system,
                system.promises[name],
                one.files,
                with_page=options.keep is not None,
                progress=progress,
            )
            results.add(conductor.conduct())
        except NeverConnectedError as error:
            results.add(DayResult(name, "error", reasons=(str(error),)))
            results.skip_rest(names[place + 1 :], "not run, because the broker cannot be reached")
            break
        except GridsimError as error:
            results.add(DayResult(name, "error", reasons=(str(error),)))
        except OSError as error:
            reason = f"a file of the day cannot be written: {error}"
            results.add(DayResult(name, "error", reasons=(reason,)))
        except KeyboardInterrupt:
            results.skip_rest(
                names[place:], "not run to its end, because the check was interrupted"
            )
            return replace(results.card, interrupted=True)
    return results.card


def _chosen(system: SystemUnderTest, only: Sequence[str]) -> list[NamedDay]:
    """Return the days that the command line names. Raises UsageError for any other."""
    by_name = {day.name: day for day in system.days}
    for name in only:
        if name not in by_name:
            hint = choose_from(name, by_name)
            raise UsageError(f"--only: error: {system.path} has no day {name!r}{hint}")
    return [day for day in system.days if not only or day.name in only]


def _planned(
    day: NamedDay,
    system: SystemUnderTest,
    registry: Registry,
    folder: Path,
    options: CheckOptions,
) -> PlannedDay:
    """Read and check a day. Raises UsageError."""
    files = DayFiles(folder / day.name)
    try:
        files.folder.mkdir(parents=True, exist_ok=True)
        for path in files.of_a_system:
            path.unlink(missing_ok=True)
    except OSError as error:
        why = f"{error.filename} cannot be replaced: {error.strerror}"
        raise UsageError(f"--keep: error: {why}") from None
    plan = make_plan(
        Options(
            day.path,
            plugins=options.plugins,
            adapt=lambda document: overlaid(document, system, registry, files.ledger),
        )
    )
    if plan.ticks is None:
        raise UsageError(
            f"{day.path}: error: the day has no end: give 'duration_s' under [simulation]"
        )
    skipped = ""
    if day.restarts_broker and not system.settings.restart_broker:
        choice = plan.configuration.transports[0]
        capture = plan.probes.first([choice], "capture")
        own = (
            capture is not None
            and plan.probes.first([choice], "restart") is not None
            and capture[1].capture(choice.settings, choice.framing, ()).is_own
        )
        if not own:
            skipped = "gridsim cannot restart your broker: give 'restart_broker', a command line"
    return PlannedDay(day, plan, files, skipped)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Yield the folder for all files of the check. Raises UsageError if it cannot be made."""
    if keep is None:
        with TemporaryDirectory(prefix="gridsim-check-") as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--keep: error: {keep} cannot be made: {error.strerror}") from None
    yield keep.absolute()
