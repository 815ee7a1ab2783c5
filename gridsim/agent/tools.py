"""The tools of an agent, which reads their docstrings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from gridsim.agent.client import ApiClient, ApiError

Found = dict[str, Any]
_EXAMPLES: Final = 20
_WAIT_S: Final = 5


class Tools:
    """The operations of a run's HTTP API. Power is in kW, positive where a device feeds its site;
    energy in kWh, state of charge in %, times in ms since 1970, UTC, of the simulation.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def every(self) -> Sequence[Callable[..., Any]]:
        """Return all tools; a tool's name is that of its method."""
        return (
            self.status, self.projects, self.project, self.devices, self.device, self.history,
            self.entries, self.events, self.faults, self.catalogue, self.send_command,
            self.call_event, self.cancel_event, self.inject_fault, self.clear_fault,
            self.instruction, self.pause, self.resume, self.set_speed, self.verify,
        )  # fmt: skip

    # Reading.

    def status(self) -> Found:
        """Return the state of the run: clock, speed, lag, power by type, transports, sources,
        running events, and the account of every transport in readings.
        """
        return self._get("status")

    def projects(
        self,
        filter: str | None = None,
        state: Literal["contract", "called", "violation", "standalone"] | None = None,
        sort: str = "id",
        offset: int = 0,
        limit: int = 50,
    ) -> Found:
        """List projects (sites) with load, net consumption, baseline, contract threshold, the
        target of a running event, the delivered reduction and violations. `filter` is a part of
        the id.
        """
        return self._get(
            "projects", filter=filter, state=state, sort=sort, offset=offset, limit=limit
        )

    def project(self, id: str) -> Found:
        """Return one project and its devices."""
        return self._get("projects", id)

    def devices(
        self,
        project: str | None = None,
        type: str | None = None,
        state: Literal["online", "offline", "faulty", "called", "disabled"] | None = None,
        filter: str | None = None,
        offset: int = 0,
        limit: int = 50,
    ) -> Found:
        """List devices with their output, state of charge and state. `type` is the reported type,
        such as battery_storage; `filter` is a part of the id.
        """
        return self._get(
            "devices",
            project=project, type=type, state=state, filter=filter, offset=offset, limit=limit,
        )  # fmt: skip

    def device(self, id: str, after_ms: int = 0) -> Found:
        """Return one device: settings, the command in force, its true and its reported readings
        since it was first asked for (at most 20 devices at once), where faults affected them, and
        its last messages as they were sent.
        """
        return self._get("devices", id, "watch", after_ms=after_ms)

    def history(self, span: Literal["15m", "1d"] = "15m") -> Found:
        """Return the past of the fleet: kW by type, load, net, target and delivered reduction."""
        return self._get("history", span=span)

    def entries(self, after: int = -1, limit: int = 50) -> Found:
        """Return the list of what happened: events, faults, commands and failures, with a sentence
        each.
        """
        return self._get("entries", after=after, limit=limit)

    def events(self) -> Found:
        """Return the running demand-response events and the sums of those that are over."""
        return self._get("events")

    def faults(self) -> Found:
        """Return the active faults and the number of readings that faults affected."""
        return self._get("faults")

    def catalogue(self) -> Found:
        """Return the types of faults that can be injected and the commands, with the settings,
        units and defaults of each, and the types of DERs with whether they take commands.
        """
        return self._get("catalogue")

    # Acting.

    def send_command(
        self,
        target: str,
        command: Literal[
            "set_power", "limit_power", "limit_export", "limit_import", "target_soc",
            "connect", "disconnect",
        ],
        value: float | None = None,
        unit: Literal["kW", "%"] | None = None,
        duration_s: float | None = None,
        ramp_s: float | None = None,
        periods: list[dict[str, float]] | None = None,
        stack_level: int = 0,
    ) -> Found:  # fmt: skip
        """Send a command to a device or a project by its id, and return the acknowledgement. Power
        is positive into the site: set_power -3 charges a battery with 3 kW. Without a duration the
        command holds until the next one. Instead of `value`, `periods` are values over time:
        [{"start_s": 0, "value": 3}, {"start_s": 600, "value": 1}]. Of several commands of a kind,
        the one of the highest stack_level, 0 to 9, applies.
        """
        return self._instruct(
            target,
            command,
            {
                "value": value, "unit": unit, "duration_s": duration_s, "ramp_s": ramp_s,
                "periods": periods, "stack_level": stack_level,
            },
        )  # fmt: skip

    def call_event(
        self,
        event: str,
        target: str = "*",
        target_kw: float | None = None,
        duration_s: float = 900.0,
        settings: Found | None = None,
    ) -> Found:
        """Call a demand-response event of a new id for projects (an id, or a pattern such as
        HOME_*). `target_kw` is the reduction of each project; without it, its contract threshold.
        `settings` are further keys of [[events]], such as notice_s, ramp_s or export_limit_kw.
        """
        body = {"event": event, "target_kw": target_kw, "duration_s": duration_s}
        return self._instruct(target, "call_event", {**(settings or {}), **body})

    def cancel_event(self, event: str, target: str = "*") -> Found:
        """Cancel an event, for all of its projects or for those of `target`."""
        return self._instruct(target, "cancel_event", {"event": event})

    def inject_fault(
        self,
        fault: str,
        type: str,
        target: str = "*",
        duration_s: float | None = None,
        settings: Found | None = None,
    ) -> Found:
        """Inject a fault of a new id into devices (an id, or a pattern such as HOME_*). Types are
        offline, frozen_meter, stuck_inverter, sign_flip, unit_mixup, spike, drift, noise,
        clock_skew, drop, delay, duplicate and others; `settings` are further keys of [[faults]].
        The ledger labels every reading that it affects.
        """
        body = {"fault": fault, "type": type, "duration_s": duration_s}
        return self._instruct(target, "inject_fault", {**(settings or {}), **body})

    def clear_fault(self, fault: str) -> Found:
        """End a fault that was injected."""
        return self._instruct("*", "clear_fault", {"fault": fault})

    def instruction(self, id: str) -> Found:
        """Return the state of an instruction that was sent before, with its acknowledgements."""
        return self._get("instructions", id)

    def pause(self) -> Found:
        """Stop the simulated clock until `resume`."""
        return self._control(action="pause")

    def resume(self) -> Found:
        """Continue after `pause`."""
        return self._control(action="resume")

    def set_speed(self, speed: float) -> Found:
        """Set the speed: 1 is real time, 60 a minute per second, 0 as fast as possible."""
        return self._control(action="speed", speed=speed)

    # The truth.

    def verify(
        self,
        files: list[str] | None = None,
        expect: str | None = None,
        transport: str | None = None,
        fields: dict[str, str] | None = None,
        received_at: str | None = None,
        unordered: bool = False,
        arrival_only: bool = False,
        time_tolerance_s: float = 0.0,
        assume_zone: str | None = None,
        html: str | None = None,
    ) -> Found:
        """Check the run. Without files: the account of every transport and the sums of settled
        events. With files that your system exported (JSON Lines, CSV or Parquet; paths on this
        machine): compare every reading with the run's ledger. With `expect`, a CSV of your
        settlements (event, project_id, reduction_kwh): compare these. The outcome is "passed",
        "failed" or "not proven"; while the run goes on, it cannot be "passed". The other arguments
        are the options of `gridsim verify`: `fields` has your name of each field, `html` is a file
        for a page with pictures.
        """
        found = self._get("verify")
        if not files and expect is None:
            return found
        if not found.get("ledger"):
            raise ApiError("the run has no ledger: add [ledger] with a path to its configuration")
        from gridsim.verify import VerifyOptions, verify

        options = VerifyOptions(
            Path(found["ledger"]),
            files=tuple(files or ()),
            expect=None if expect is None else Path(expect),
            transport=transport,
            fields=tuple(f"{ours}={theirs}" for ours, theirs in (fields or {}).items()),
            received_at=received_at,
            unordered=unordered,
            arrival_only=arrival_only,
            time_tolerance_s=time_tolerance_s,
            assume_zone=assume_zone,
            html=None if html is None else Path(html),
        )
        report = verify(options, lambda _: None).as_json()
        report["examples"] = report["examples"][:_EXAMPLES]
        if report["settlements"] is not None:
            wrong = report["settlements"]["differences"]
            report["settlements"]["differences"] = wrong[:_EXAMPLES]
            report["settlements"]["more"] = max(len(wrong) - _EXAMPLES, 0)
        return {name: value for name, value in report.items() if name != "projects"}

    def _get(self, *path: str, **query: Any) -> Found:
        found: Found = self._client.get(*path, **query)
        return found

    def _control(self, **body: Any) -> Found:
        found: Found = self._client.post("control", body=body)
        return found

    def _instruct(self, target: str, command: str, body: Found) -> Found:
        found: Found = self._client.post(
            "instructions", body={"target": target, "command": command, **body}, wait_s=_WAIT_S
        )
        return found
