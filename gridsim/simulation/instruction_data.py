"""Instructions as data, for a checkpoint."""

from __future__ import annotations

from typing import Any

from gridsim.api import Instruction, Target, read_instruction, write_instruction


def as_data(instruction: Instruction, time_ms: int) -> list[Any]:
    """Return an instruction and its time as data for a checkpoint."""
    target = instruction.target
    text = write_instruction(instruction).decode()
    return [text, target.project_id, target.der_id, instruction.source, time_ms]


def from_data(data: list[Any]) -> tuple[Any, int]:
    """Return the instruction and its time from a checkpoint's data."""
    text, project_id, der_id, source, time_ms = data
    target = Target(project_id, der_id)
    return read_instruction(text.encode(), target, source), int(time_ms)
