"""`gridsim send`: sends a command to a run through a source of its configuration."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gridsim.api import (
    Instruction,
    Probe,
    Refused,
    TransportError,
    Unreadable,
    find_target,
    read_instruction,
)
from gridsim.config.tables.sources import SourceChoice
from gridsim.config.text.overrides import parse
from gridsim.errors import (
    GridsimError,
    NeverConnectedError,
    NotHeldError,
    UsageError,
    failure,
    is_interrupt,
)
from gridsim.running.durations import seconds
from gridsim.running.plan import Plan
from gridsim.running.runs import other_runs

_ANSWER_S = 10.0
# The key with the name of an instruction's event or fault.
_KINDS = {
    "call_event": "event",
    "cancel_event": "event",
    "inject_fault": "fault",
    "clear_fault": "fault",
}


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The arguments of `gridsim send`, not yet parsed."""

    target: str
    command: str
    value: str | None = None
    """A number, or the id of an event or fault."""
    unit: str | None = None
    start: str | None = None
    duration: str | None = None
    ramp: str | None = None
    id: str | None = None
    keys: tuple[str, ...] = ()
    """The keys of an event or fault, each as KEY=VALUE."""
    periods: str | None = None
    """START:VALUE, ..., instead of a value."""
    stack_level: int | None = None


def send(
    plan: Plan, args: CommandLine, wait: str | None, show: Callable[[Mapping[str, Any]], None]
) -> None:
    """Send the command and show its acknowledgements until it is accepted.

    With `wait`, a duration such as 10s, continue until it is completed or superseded, or until the
    time is over.

    Raises UsageError if the command is invalid, NeverConnectedError if the run cannot be
    reached, NotHeldError if the command was rejected or not completed in time, and GridsimError
    if there was no answer.
    """
    wait_s = None if wait is None else seconds(wait, "--wait")
    instruction = _instruction(plan, args)
    source, probe = _source_and_probe(plan)
    began = time.monotonic()
    accepted = False
    answers = _answers(
        source.name, lambda: probe.send(source.settings, instruction), instruction.id
    )
    for answer in answers:
        passed = time.monotonic() - began
        if answer is None:
            if not accepted and passed > _ANSWER_S:
                up = other_runs()
                raise GridsimError(
                    f"no answer within {_ANSWER_S:g} s: check that a run with this configuration "
                    f"is up and connected to {source.name} ({_where(plan, source.name)})"
                    + (f"; runs on this machine: {up}" if up else "")
                )
            if accepted and wait_s is not None and passed > wait_s:
                raise NotHeldError(f"accepted, but neither completed nor superseded within {wait}")
            continue
        show(answer)
        status, reason = answer["status"], answer.get("reason", "")
        if status in ("rejected", "superseded", "cancelled"):
            raise NotHeldError(f"{status}: {reason}")
        accepted = True
        if status == "completed" or wait_s is None:
            return


def line_of(answer: Mapping[str, Any], as_json: bool) -> str:
    """Return an acknowledgement as a line of text, or as JSON."""
    if as_json:
        return json.dumps(answer)
    reason = answer.get("reason")
    text = f"{answer['id']}: {answer['status']}{f' ({reason})' if reason else ''}"
    return f"{text} at {answer.get('timestamp')}, tick {answer.get('tick')}"


def parse_periods(text: str) -> list[dict[str, float]]:
    """Return the periods of a text such as 0:3.0,10m:1.5, as JSON has them. Raises UsageError."""
    periods = []
    for part in text.split(","):
        start, colon, value = part.partition(":")
        if not colon:
            raise UsageError(
                f"--periods: error: {part.strip()!r} is not START:VALUE; write for example "
                "0:3.0,10m:1.5"
            )
        start_s = seconds(start, "--periods")
        periods.append({"start_s": start_s, "value": _number(value, "--periods")})
    return periods


def _source_and_probe(plan: Plan) -> tuple[SourceChoice, Probe[Any, Any]]:
    """Return the first source that a probe can send to, and its probe. Raises UsageError."""
    sources = plan.configuration.sources
    found = plan.probes.first(sources, "send")
    if found is not None:
        return found
    able = plan.probes.names("send")
    if not sources:
        raise UsageError(
            f"{plan.config} has no source of commands: add [[sources]], then its type under it. "
            f"gridsim send can use: {able}"
        )
    names = ", ".join(source.name for source in sources)
    raise UsageError(
        f"{plan.config}: error: gridsim send cannot reach the sources of this configuration: "
        f"{names}. It can use: {able}"
    )


def _where(plan: Plan, name: str) -> str:
    return next(inlet.source.describe() for inlet in plan.sources if inlet.name == name)


def _answers(
    name: str, send: Callable[[], Iterator[bytes]], id: str
) -> Iterator[dict[str, Any] | None]:
    """Yield each acknowledgement of this command, and None while there is none."""
    connected = False
    try:
        for text in send():
            connected = True
            answer = _read(text)
            mine = answer is not None and answer.get("id") == id
            yield answer if mine else None
    except ValueError as error:
        raise UsageError(str(error)) from None
    except TransportError as error:
        if connected:
            raise
        raise NeverConnectedError(str(error)) from None
    except (GridsimError, GeneratorExit):
        raise
    except BaseException as error:
        if is_interrupt(error):
            raise
        raise failure(f"the probe of {name}", error) from error


def _read(text: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(text) if text else None
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and "status" in answer else None


def _instruction(plan: Plan, args: CommandLine) -> Instruction:
    """Return the instruction. Raises UsageError if it is not well-formed."""
    roster = plan.configuration.scenario.roster
    given: dict[str, Any] = {
        "id": args.id if args.id is not None else f"send-{secrets.token_hex(4)}",
        "command": args.command,
        "unit": args.unit,
        "start": args.start,
        "duration_s": None if args.duration is None else seconds(args.duration, "--duration"),
        "ramp_s": None if args.ramp is None else seconds(args.ramp, "--ramp"),
    }
    kind = _KINDS.get(args.command)
    try:
        target, patterns = find_target(roster, args.target, args.command)
    except Refused as refusal:
        raise UsageError(str(refusal)) from None
    if kind is None:
        given["value"] = None if args.value is None else _number(args.value, "VALUE")
        given["stack_level"] = args.stack_level
        given["periods"] = None if args.periods is None else parse_periods(args.periods)
        if args.keys:
            raise UsageError(f"--key: error: is for events and faults, not for {args.command}")
    elif args.periods is not None or args.stack_level is not None:
        flag = "--periods" if args.periods is not None else "--stack-level"
        raise UsageError(f"{flag}: error: is for commands, not for {args.command}")
    else:
        given |= {kind: args.value, **patterns, **dict(map(_key, args.keys))}
    payload = json.dumps({key: value for key, value in given.items() if value is not None})
    instruction = read_instruction(payload.encode(), target)
    if isinstance(instruction, Unreadable):
        raise UsageError(instruction.reason)
    return instruction


def _number(value: str, what: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise UsageError(f"{what}: error: {value!r} is not a number") from None


def _key(text: str) -> tuple[str, Any]:
    """Parse KEY=VALUE. Raises UsageError."""
    parts, value = parse(text)
    if len(parts) != 1 or parts[0] in ("id", "command"):
        raise UsageError(f"--key {text}: error: is not a key of an event or fault")
    return parts[0], value
