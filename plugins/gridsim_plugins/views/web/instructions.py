"""Instructions of the API: reading and posting them, and their acknowledgements."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from gridsim.api import (
    Control,
    Instruction,
    Refused,
    Target,
    Unreadable,
    find_target,
    read_instruction,
)
from gridsim_plugins.views.web.answers import Failed
from gridsim_plugins.views.web.equivalents import of_instruction
from gridsim_plugins.views.web.models import (
    AcknowledgementItem,
    Equivalents,
    InstructionAnswer,
)

KEPT: Final = 1000
"""The number of instructions whose acknowledgements are kept."""
LISTED: Final = 100
SOURCE: Final = "web"
_NO_TARGET = (
    "'target' is missing: write the id of a DER or of a project; for events and faults also a "
    "pattern, or * for the whole fleet"
)
_FLEET = Target("")
_FORGOTTEN = "too many instructions were posted since: its acknowledgements are no longer kept"
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class _Posted:
    instruction: Instruction
    command: str
    equivalents: Equivalents


class Instructions:
    """The instructions from the API, and their outcomes. Used from several threads."""

    def __init__(self, control: Control, url: str) -> None:
        self._control = control
        self._url = url
        self._lock = threading.Lock()
        self._posted: OrderedDict[str, _Posted] = OrderedDict()

    def read(self, body: bytes) -> tuple[Instruction, Equivalents]:
        """Return the instruction of a body, and its equivalents. Raises Failed."""
        try:
            table = json.loads(body)
        except (ValueError, RecursionError):
            table = None
        if not isinstance(table, dict):
            # The reader reports this error.
            raise Failed(400, _reason(read_instruction(body, _FLEET)))
        request = dict(table)
        name = table.pop("target", None)
        if "id" not in table:
            table["id"] = f"web-{secrets.token_hex(4)}"
        instruction = read_instruction(_text(table), _FLEET, SOURCE)
        if isinstance(instruction, Unreadable):
            raise Failed(422, instruction.reason)
        if not isinstance(name, str) or not name:
            raise Failed(422, _NO_TARGET)
        try:
            target, implied = find_target(self._control.roster, name, table["command"])
        except Refused as refusal:
            raise Failed(422, str(refusal)) from None
        instruction = read_instruction(_text({**implied, **table}), target, SOURCE)
        if isinstance(instruction, Unreadable):
            raise Failed(422, instruction.reason)
        status = self._control.status()
        return instruction, of_instruction(instruction, request, self._url, status)

    def post(self, body: bytes) -> str:
        """Queue the instruction of a body for the next tick, and return its id. Raises Failed."""
        instruction, equivalents = self.read(body)
        command = json.loads(equivalents.json or "{}")["command"]
        with self._lock:
            if instruction.id in self._posted:
                raise Failed(409, f"the id {instruction.id!r} was used before: choose another")
            state = self._control.status().state
            if state in ("stopping", "ended"):
                raise Failed(409, f"the run is {state}: it takes no more instructions")
            if not self._control.post(instruction):
                raise Failed(503, "the run has no room for more instructions: try again later")
            self._posted[instruction.id] = _Posted(instruction, command, equivalents)
            while len(self._posted) > KEPT:
                self._posted.popitem(last=False)
        return instruction.id

    async def wait(self, id: str, seconds: float) -> None:
        """Wait for the first acknowledgement of an instruction."""
        with self._lock:
            posted = self._posted.get(id)
        until = time.monotonic() + seconds
        while posted is not None and not self._control.answers(posted.instruction):
            if time.monotonic() >= until:
                return
            await asyncio.sleep(_LOOK_S)

    def answer(self, id: str) -> InstructionAnswer:
        """Return an instruction and its acknowledgements. Raises Failed."""
        with self._lock:
            posted = self._posted.get(id)
            if posted is None:
                raise Failed(
                    404, f"there is no instruction {id!r} among the last {KEPT} of the API"
                )
        return self._answer(posted)

    def answers(self) -> list[InstructionAnswer]:
        """Return the newest instructions, the newest last."""
        with self._lock:
            newest = list(self._posted.values())[-LISTED:]
        return [self._answer(one) for one in newest]

    def _answer(self, posted: _Posted) -> InstructionAnswer:
        answers = self._control.answers(posted.instruction)
        last = answers[-1] if answers else None
        reason = _FORGOTTEN if answers is None else last.reason if last is not None else ""
        rejected = last is not None and last.status == "rejected"
        return InstructionAnswer(
            id=posted.instruction.id,
            target=str(posted.instruction.target),
            command=posted.command,
            status="queued" if last is None else last.status,
            reason=reason,
            acknowledgements=[
                AcknowledgementItem(one.time_ms, one.status, one.text) for one in answers or ()
            ],
            equivalents=posted.equivalents,
            error=(reason or last.text) if rejected and last is not None else "",
        )


def _text(table: dict[str, Any]) -> bytes:
    return json.dumps(table).encode()


def _reason(instruction: Instruction) -> str:
    return instruction.reason if isinstance(instruction, Unreadable) else "must be one JSON object"
