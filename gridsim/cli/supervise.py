"""A run on the command line: signals, lines of text, and the exit status."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from loguru import logger

from gridsim.cli.service import ServiceManager
from gridsim.cli.signals import RunSignals
from gridsim.cli.ui import LIVE_VIEW
from gridsim.contracts.results import TickResult
from gridsim.contracts.status import RunStatus
from gridsim.errors import GridsimError
from gridsim.ledger import LedgerError
from gridsim.running.plan import Plan
from gridsim.running.runs import other_runs
from gridsim.running.shards.opening import AnyRun, run_of
from gridsim.running.verdict import judge
from gridsim.text.backfill import backfill_end_lines
from gridsim.text.commands import CommandLog
from gridsim.text.events import change_lines
from gridsim.text.overloads import overload_lines
from gridsim.text.plan import plan_lines, transport_lines, transport_warnings, view_lines
from gridsim.text.reload import reload_lines
from gridsim.text.resumption import gap_lines, has_caught_up, resume_lines
from gridsim.text.status import closing_lines, earlier_lines, hanging_lines, live_line
from gridsim.text.verdict import finding_line

_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a run."""

    status: int
    hung: bool
    """True if a plugin's thread is still busy: only `os._exit` ends the process."""


def supervise(plan: Plan, *, strict: bool = False, lines: bool = True) -> Ending:
    """Run a plan until its end or the first signal. Call it from the main thread.

    The status follows from the run's totals; see `judge`, also for `strict`. A signal's status
    (129, 130, 143) takes precedence, but losses are still logged. `lines` is false for a run
    without progress lines; the live view also replaces them.
    """
    # Made before the handler is installed, so that Ctrl-C interrupts a plugin that hangs here.
    run = run_of(plan)
    try:
        with RunSignals(run) as signals:
            return _supervise(run, signals, strict, lines)
    finally:
        plan.close()


def _supervise(run: AnyRun, signals: RunSignals, strict: bool, lines: bool) -> Ending:
    _log(plan_lines(run.plan))
    if run.plan.checkpoint is not None and run.plan.checkpoint.kept is not None:
        for warning in run.plan.checkpoint.kept.warnings:
            logger.warning("{}", warning)
    if up := other_runs():
        logger.info("other runs on this machine: {}", up)
    commands = CommandLog()
    timezone = run.plan.configuration.timezone
    run.subscribe(partial(_log_results, commands, timezone), "latest", readings=False)
    manager = ServiceManager()
    signals.end = partial(_end, run, commands, signals, strict)
    try:
        run.start()
        if run.status().state == "running":
            _log(transport_lines(run.status()))
            _log(earlier_lines(run.status()))
            _log(view_lines(run.status()))
            _log(resume_lines(run.status()))
            for line in transport_warnings(run.plan):
                logger.warning("{}", line)
            manager.ready(run.status())
            _watch(run, manager, signals, lines)
    finally:
        manager.stopping()
        signals.claim_end()
        run.stop()
    return Ending(_end(run, commands, signals, strict), run.hung)


def _end(run: AnyRun, commands: CommandLog, signals: RunSignals, strict: bool) -> int:
    """Stop the run if that was not done, log its account, and return the exit status."""
    run.stop()
    status = run.status()
    if status.elapsed_s:
        _log(commands.rest())
        _log(closing_lines(status))
    return _exit_status(run, status, signals.received, strict)


def _watch(run: AnyRun, manager: ServiceManager, signals: RunSignals, lines: bool) -> None:
    """Wait until the run is over. Report its status to the service manager, and log it where the
    live view does not show it. Reload the configuration when a signal asks for it.
    """
    reloading: threading.Thread | None = None
    settings = run.plan.configuration.simulation
    every_s = settings.summary_every_s
    next_line = time.monotonic() + every_s
    logged = ""
    caught_up = run.status().resumed is None
    backfilling = run.status().is_backfilling
    hanging: dict[str, str] = {}
    while not run.wait(_LOOK_S):
        manager.report(run.status)
        signals.terminal.look()
        if signals.asks_for_reload and (reloading is None or not reloading.is_alive()):
            signals.asks_for_reload = False
            # Beside this thread, which goes on to report and to log.
            reloading = threading.Thread(target=_reload, args=(run, manager), daemon=True)
            reloading.start()
        holding_up = run.holding_up()
        if holding_up and holding_up != logged:
            logger.warning("{} blocks the run", holding_up)
        logged = holding_up
        if not caught_up:
            status = run.status()
            _log(gap_lines(status))
            caught_up = has_caught_up(status.resumed)
        if backfilling and not (status := run.status()).is_backfilling:
            backfilling = False
            _log(backfill_end_lines(status))
        hung_before, hanging = hanging, run.hanging()
        for line in hanging_lines(hung_before, hanging, settings.hang_timeout_s):
            logger.warning("{}", line)
        for name in hung_before.keys() - hanging.keys():
            logger.info("{} works again", name)
        if time.monotonic() >= next_line:
            next_line += every_s
            status = run.status()
            if lines and not _is_shown(status):
                logger.info("{}", live_line(status))


def _reload(run: AnyRun, manager: ServiceManager) -> None:
    """Reload the configuration. If that is not possible, log the reason: the run goes on."""
    manager.reloading()
    try:
        run.reload()
    except GridsimError as error:
        for line in str(error).splitlines():
            logger.error("{}", line)
        logger.error("the configuration was not reloaded: the run goes on unchanged")
    finally:
        manager.ready(run.status())


def _is_shown(status: RunStatus) -> bool:
    """Return whether the live view is up."""
    return any(one.name == LIVE_VIEW and one.state == "up" for one in status.views)


def _log_results(commands: CommandLog, timezone: str, result: TickResult) -> None:
    if result.reload is not None:
        _log(reload_lines(result.reload))
    _log(commands.lines(result.instructions, result.acknowledgements, time.monotonic()))
    for change in result.changes:
        _log(change_lines(change, timezone))
    for event in result.unmeasured:
        logger.warning("the true reduction of event {} is not known: {}", event.event, event.reason)
    for failure in result.failures:
        logger.error("{}; {}", failure.reason, failure.effect)
    for clipped in result.clipped:
        message = "{} returned {} beyond the bounds of its devices: clipped, the first is {}"
        logger.warning(message, clipped.plugin, clipped.name, clipped.example)
    for line in overload_lines(result.overloads):
        logger.warning("{}", line)


def _exit_status(
    run: AnyRun, status: RunStatus, received: signal.Signals | None, strict: bool
) -> int:
    number = 0
    if run.error is not None:
        logger.error("{}", status.error)
        number = run.error.exit_status if isinstance(run.error, GridsimError) else 1
    if run.ledger_error is not None:
        logger.error("{}", run.ledger_error)
        number = number or LedgerError.exit_status
    verdict = judge(status, strict=strict, interrupted=received is not None)
    for finding in verdict.findings:
        line = finding_line(finding, run.plan.not_set.get(finding.transport, ""))
        logger.log("ERROR" if finding.exit_status else "WARNING", "{}", line)
    number = number or verdict.exit_status
    return number if received is None else 128 + received


def _log(lines: Iterable[str]) -> None:
    for line in lines:
        logger.info("{}", line)
