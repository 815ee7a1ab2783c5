"""One day against the user's system: the run, the commands around it, and the comparison."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from gridsim.api import Capture, FarEnd, TransportError
from gridsim.check.collecting import TopicExport
from gridsim.check.commands import CommandFailed, SystemCommands
from gridsim.check.comparing import Assessment, Exported, assess
from gridsim.check.dayfiles import DayFiles
from gridsim.check.days import NamedDay
from gridsim.check.result import DayResult
from gridsim.check.settings import Promises
from gridsim.check.system import SystemUnderTest
from gridsim.errors import GridsimError, NeverConnectedError, UsageError
from gridsim.helpers.timestamps import rfc3339
from gridsim.plugins.services import Services
from gridsim.running.plan import Plan
from gridsim.running.probes import ask
from gridsim.running.run import Run
from gridsim.running.verdict import judge
from gridsim.text.progress import Progress
from gridsim.text.verdict import finding_line

_HURRY_S: Final = 1.7
_UP_S: Final = 30.0
_LOOK_S: Final = 0.05
_AGAIN_S: Final = 0.5
_CONFIRM_S: Final = 60.0


class Conductor:
    """The steps of one day."""

    def __init__(
        self,
        day: NamedDay,
        plan: Plan,
        system: SystemUnderTest,
        promises: Promises,
        files: DayFiles,
        *,
        with_page: bool,
        progress: Progress,
    ) -> None:
        self._day, self._plan, self._system = day, plan, system
        self._promises, self._files, self._progress = promises, files, progress
        self._with_page = with_page
        self._run = Run(replace(plan, services=Services()), clock="manual")
        # The services of the plan, among them a broker, are up until the exports are there.
        self._services = plan.services
        self._capture = self._make_capture()
        self._export: TopicExport | None = None
        settings = system.settings
        self._commands = SystemCommands(
            system.folder, self._environment(), settings.timeout_s, files.output
        )

    def conduct(self) -> DayResult:
        """Run the day and compare it. Raises NeverConnectedError without a broker."""
        began = time.monotonic()
        try:
            self._simulate()
            assessment = self._compare()
        except NeverConnectedError:
            raise
        except GridsimError as error:
            reasons = (str(error),)
            return DayResult(self._day.name, "error", time.monotonic() - began, reasons=reasons)
        finally:
            if self._export is not None:
                self._export.stop()
            self._commands.stop()
            self._services.close()
        broken, doubts = assessment.broken, assessment.doubts
        return DayResult(
            self._day.name,
            "broken" if broken else "error" if doubts else "kept",
            time.monotonic() - began,
            assessment.figures,
            broken or doubts,
            assessment.details,
        )

    # The run.

    def _simulate(self) -> None:
        """Run all ticks, until the broker has confirmed all readings."""
        run = self._run
        try:
            run.start()
            for transport in run.status().transports:
                if not transport.ever_connected:
                    raise NeverConnectedError(f"no connection to the broker: {transport.error}")
            self._prepare_system()
            self._tick()
            run.confirm(_CONFIRM_S)
            self._check_delivery()
        except BaseException:
            run.request_stop(_HURRY_S)
            raise
        finally:
            run.stop()
        if run.ledger_error is not None:
            raise run.ledger_error

    def _prepare_system(self) -> None:
        """Find the broker, and start and reset the user's system."""
        settings = self._system.settings
        far_end = self._find_broker()
        if far_end is not None:
            self._commands.environment |= {
                "GRIDSIM_BROKER_HOST": far_end.host,
                "GRIDSIM_BROKER_PORT": str(far_end.port),
            }
        if settings.export_topic:
            if self._capture is None:
                raise UsageError(
                    f"export_topic: gridsim cannot subscribe to {self._plan.transports[0].name}; "
                    "give export_command"
                )
            try:
                self._capture.matches(settings.export_topic, "")
            except ValueError as error:
                raise UsageError(f"export_topic: {error}") from None
            name = self._plan.transports[0].name
            self._export = TopicExport(name, self._capture, settings.export_topic)
            self._export.start()
        if settings.start_command:
            self._commands.start("start_command", settings.start_command)
            self._commands.run_until_ready("reset_command", settings.reset_command)
        elif settings.reset_command:
            self._commands.run("reset_command", settings.reset_command)

    def _tick(self) -> None:
        """Run the ticks at the speed of the day."""
        plan = self._plan
        assert plan.ticks is not None
        speed = plan.configuration.simulation.speed
        interval_s = plan.configuration.tick_ms / 1000 / speed if speed else 0.0
        restart_at = plan.ticks // 2 if self._day.restarts_broker else None
        self._progress.begin(self._day.name, plan.ticks)
        due = time.monotonic()
        for tick in range(plan.ticks):
            if tick == restart_at:
                self._restart_broker()
                due = time.monotonic()
            if (early_s := due - time.monotonic()) > 0:
                time.sleep(early_s)
            self._run.advance()
            self._progress.advance()
            due += interval_s
        self._commands.check()

    def _check_delivery(self) -> None:
        """Raise GridsimError if readings got lost on the way to the broker."""
        findings = judge(self._run.status(), strict=True).findings
        if findings:
            reasons = "; ".join(map(finding_line, findings))
            raise GridsimError(f"not all readings reached the broker: {reasons}")

    # The broker.

    def _make_capture(self) -> Capture | None:
        choices = self._plan.configuration.transports
        found = self._plan.probes.first(choices, "capture")
        if found is None:
            return None
        choice, probe = found
        topics = [topic] if (topic := self._system.settings.export_topic) else []
        return ask(
            choice.name,
            lambda: probe.capture(choice.settings, choice.framing, topics),
            "export_topic: error: ",
        )

    def _find_broker(self) -> FarEnd | None:
        """Return the address of the broker, None if it is not known."""
        capture = self._capture
        if capture is None:
            return None
        try:
            capture.connect()
            return capture.far_end()
        except TransportError as error:
            raise GridsimError(
                f"gridsim cannot subscribe at {capture.describe()}: {error}"
            ) from None
        finally:
            capture.close()

    def _restart_broker(self) -> None:
        """Restart the broker, and give the system time to connect again."""
        self._run.confirm(_CONFIRM_S)
        command = self._system.settings.restart_broker
        if command:
            self._commands.run("restart_broker", command)
        else:
            self._restart_own_broker()
        time.sleep(self._system.settings.reconnect_s)
        deadline = time.monotonic() + _UP_S
        while any(one.state != "up" for one in self._run.status().transports):
            if time.monotonic() > deadline:
                raise GridsimError(f"the broker did not come back within {_UP_S:g} s")
            time.sleep(_LOOK_S)

    def _restart_own_broker(self) -> None:
        choice = self._plan.configuration.transports[0]
        found = self._plan.probes.first([choice], "restart")
        assert found is not None
        ask(choice.name, lambda: found[1].restart(choice.settings))

    # The exports.

    def _compare(self) -> Assessment:
        """Compare the exports until all promises are kept, or the system's time is over."""
        self._files.write_events()
        deadline = time.monotonic() + self._system.settings.settle_s
        while True:
            is_last = time.monotonic() >= deadline
            try:
                assessment = self._compare_once()
                if is_last or not (assessment.broken or assessment.doubts):
                    return assessment
            except CommandFailed:
                self._commands.check()
                if is_last:
                    raise
            except GridsimError:
                if is_last:
                    raise
            time.sleep(max(0.0, min(_AGAIN_S, deadline - time.monotonic())))

    def _compare_once(self) -> Assessment:
        settings, files = self._system.settings, self._files
        records = settlement = None
        if settings.export_command:
            records = files.records
            self._export_to("export_command", settings.export_command, records)
        elif self._export is not None:
            records = files.records
            self._export.write(records)
        if settings.settlement_command:
            settlement = files.settlement
            self._export_to("settlement_command", settings.settlement_command, settlement)
        assessment = assess(
            files.ledger,
            self._plan.transports[0].name,
            Exported(records, settlement),
            settings,
            self._promises,
            files.page if self._with_page else None,
        )
        if self._export is not None and self._export.losses and not self._day.restarts_broker:
            doubt = "gridsim lost its connection to export_topic, and may have missed messages"
            return replace(assessment, doubts=(*assessment.doubts, doubt))
        return assessment

    def _export_to(self, name: str, command: str, path: Path) -> None:
        """Run a command that writes a file. Raises GridsimError without a file."""
        path.unlink(missing_ok=True)
        self._commands.run(name, command)
        variable = "GRIDSIM_RECORDS" if path == self._files.records else "GRIDSIM_SETTLEMENT"
        if not path.exists():
            raise GridsimError(f"{name} wrote no file: it has to write to ${variable}")
        if not path.stat().st_size:
            raise GridsimError(f"{name} wrote an empty file to ${variable}")

    def _environment(self) -> dict[str, str]:
        configuration, files = self._plan.configuration, self._files
        assert self._plan.ticks is not None
        end_ms = configuration.start_ms + self._plan.ticks * configuration.tick_ms
        return {
            "GRIDSIM_DAY": self._day.name,
            "GRIDSIM_CONFIG": str(self._day.path.absolute()),
            "GRIDSIM_START": rfc3339(configuration.start_ms),
            "GRIDSIM_END": rfc3339(end_ms),
            "GRIDSIM_RECORDS": str(files.records),
            "GRIDSIM_SETTLEMENT": str(files.settlement),
            "GRIDSIM_EVENTS": str(files.events),
        }
