"""The command line, the TOML and the message with the same effect as a request."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from typing import Any

from gridsim.api import (
    CallEvent,
    InjectFault,
    Instruction,
    RunStatus,
    Target,
    rfc3339,
    write_instruction,
)
from gridsim_plugins.views.web.models import ControlBody, Equivalents

_STARTS = ("start", "after_s", "cron", "per_day")
_NO_SOURCE = "gridsim send needs [[sources]] in the run's configuration, which it does not have"


def of_instruction(
    instruction: Instruction, body: Mapping[str, Any], url: str, status: RunStatus
) -> Equivalents:
    """Return the equivalents of an instruction; `body` is the request as it was sent."""
    message = write_instruction(instruction)
    return Equivalents(
        send=_send(message, body),
        toml=_stanza(instruction, status),
        json=message.decode(),
        curl=_curl(url, "instructions", body),
        note="" if status.sources else _NO_SOURCE,
    )


def of_control(body: ControlBody, url: str) -> Equivalents:
    """Return the equivalents of a pause, a resume, a reload or a change of speed."""
    if body.action == "reload":
        send, curl = f"kill -HUP {os.getpid()}", _curl(url, "control", {"action": "reload"})
        return Equivalents(send, None, None, curl, "on the machine of the run")
    if body.action != "speed" or body.speed is None:
        request = {"action": body.action}
        note = "a pause is not part of a configuration"
        return Equivalents(None, None, None, _curl(url, "control", request), note)
    return Equivalents(
        send=f"gridsim --speed {_number(body.speed)}",
        toml=f"[simulation]\nspeed = {_number(body.speed)}\n",
        json=None,
        curl=_curl(url, "control", {"action": "speed", "speed": body.speed}),
        note="the command line and the TOML set the speed of a whole run",
    )


def toml(value: Any) -> str:
    """Return a value as TOML writes it, on one line."""
    if isinstance(value, str):
        # The escapes of JSON are those of TOML, apart from DEL, which JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        pairs = (f"{toml_key(key)} = {toml(one)}" for key, one in value.items() if one is not None)
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(one) for one in value)}]"
    return repr(value)


def toml_key(key: str) -> str:
    """Return a key, quoted if it has to be."""
    plain = key and key.isascii() and all(sign.isalnum() or sign in "-_" for sign in key)
    return key if plain else toml(key)


def _send(message: bytes, body: Mapping[str, Any]) -> str:
    table = {k: v for k, v in json.loads(message).items() if k in ("id", *body)}
    command = table.pop("command")
    id = table.pop("id")
    name = {"call_event": "event", "cancel_event": "event"}.get(command, "fault")
    words = ["gridsim", "send", str(body["target"]), command]
    options: list[str] = []
    if command.endswith(("_event", "_fault")):
        if table.get(name):
            words.append(table.pop(name))
        for key, value in table.items():
            if value is not None:
                options += ["--key", f"{toml_key(key)}={toml(value)}"]
    else:
        if "value" in table:
            words.append(_number(table["value"]))
        for key in ("unit", "start"):
            if key in table:
                options += [f"--{key}", table[key]]
        for key, flag in (("duration_s", "--duration"), ("ramp_s", "--ramp")):
            if key in table:
                options += [flag, f"{_decimal(table[key])}s"]
        if "periods" in table:
            parts = (
                f"{_decimal(one['start_s'])}:{_number(one['value'])}" for one in table["periods"]
            )
            options += ["--periods", ",".join(parts)]
        if "stack_level" in table:
            options += ["--stack-level", str(table["stack_level"])]
    if not id.startswith("web-"):
        options += ["--id", id]
    return shlex.join([*words, *options])


def _stanza(instruction: Instruction, status: RunStatus) -> str | None:
    """Return the table of the configuration; None if a configuration cannot hold it."""
    match instruction:
        case CallEvent():
            table, name = "events", instruction.event
        case InjectFault():
            table, name = "faults", instruction.fault
        case _:
            return None
    settings = dict(instruction.settings)
    if "projects" not in settings and "ders" not in settings:
        settings |= _members(instruction.target)
    keys = {"id": name} if name else {}
    if not any(settings.get(key) is not None for key in _STARTS):
        settings = {"start": rfc3339(status.time_ms), **settings}
    given = {key: value for key, value in {**keys, **settings}.items() if value is not None}
    lines = [f"{toml_key(key)} = {toml(value)}" for key, value in given.items()]
    return "\n".join([f"[[{table}]]", *lines, ""])


def _members(target: Target) -> dict[str, list[str]]:
    if target.der_id is not None:
        return {"ders": [target.der_id]}
    return {"projects": [target.project_id]} if target.project_id else {}


def _curl(url: str, route: str, body: Mapping[str, Any]) -> str:
    words = ["curl", "-H", "Content-Type: application/json", "-d", json.dumps(body)]
    return shlex.join([*words, f"{url}/api/v1/{route}"])


def _number(value: float) -> str:
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _decimal(value: float) -> str:
    """Return a number without an exponent, which durations do not have."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
