"""The journal: the instructions of each tick since a checkpoint, one JSON line each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gridsim.contracts.instruction_json import restore_instruction, write_instruction
from gridsim.contracts.instructions import Instruction, Target
from gridsim.errors import printable
from gridsim.execution.checkpoint import CheckpointError

Entries = Mapping[int, Sequence[Instruction]]
"""Instructions by the tick that received them, in order."""


Altering = Sequence[Any]
"""An injected fault that alters messages: its index, name, and settings as JSON."""


class Journal:
    """The journal of one checkpoint, open for appending.

    It is written before a tick begins, and not synchronised: it survives the end of the process,
    but not that of the machine.
    """

    def __init__(self, path: Path, entries: Entries) -> None:
        """Create the file with these entries; replace an older one as a whole. Raises OSError."""
        new = path.with_suffix(".new")
        flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(new, flags, 0o600)
        try:
            for tick, instructions in sorted(entries.items()):
                self.append(tick, instructions)
            os.replace(new, path)
        except BaseException:
            self.close()
            raise

    def append(self, tick: int, instructions: Iterable[Instruction]) -> None:
        """Add the instructions of a tick. Raises OSError."""
        text = b"".join(_line(tick, one) for one in instructions)
        while text:
            text = text[os.write(self._descriptor, text) :]

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class AlteringFile:
    """The injected faults that alter messages, one JSON line each.

    A fault is added before the first message that it alters can leave. The messages of a spool may
    need it before the tick in which it was injected is stepped again.
    """

    def __init__(self, path: Path, known: Iterable[Altering]) -> None:
        """Create the file with the faults that are known. Raises OSError."""
        flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o600)
        for one in known:
            self.add(one)

    def add(self, altering: Altering) -> None:
        """Add a fault. Raises OSError."""
        os.write(self._descriptor, msgspec.json.encode(list(altering)) + b"\n")

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def read_altering(path: Path) -> list[Altering]:
    """Return the faults in a file up to the first damaged line. Raises OSError."""
    found: list[Altering] = []
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return found
    for line in lines[:-1]:
        try:
            match msgspec.json.decode(line):
                case [int(), str(), str()] as one:
                    found.append(one)
                case _:
                    break
        except (ValueError, RecursionError):
            break
    return found


def read_journal(path: Path) -> dict[int, list[Instruction]]:
    """Return the entries of a journal; the rest of a line at its end is left out.

    Raises CheckpointError if another line is damaged, and OSError.
    """
    entries: dict[int, list[Instruction]] = {}
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        try:
            tick, instruction = _entry(msgspec.json.decode(line))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise CheckpointError(
                f"{path}: error: line {number} is damaged: {printable(error)}"
            ) from error
        entries.setdefault(tick, []).append(instruction)
    return entries


def _line(tick: int, instruction: Instruction) -> bytes:
    target = instruction.target
    record = {
        "tick": tick,
        "project_id": target.project_id,
        "der_id": target.der_id,
        "source": instruction.source,
        "instruction": write_instruction(instruction).decode(),
    }
    return msgspec.json.encode(record) + b"\n"


def _entry(record: Any) -> tuple[int, Instruction]:
    match record:
        case {
            "tick": int(tick),
            "project_id": str(project),
            "der_id": str() | None as der,
            "source": str(source),
            "instruction": str(text),
        } if tick >= 0:
            return tick, restore_instruction(text.encode(), Target(project, der), source)
    raise ValueError("the line is not an entry of a journal")
