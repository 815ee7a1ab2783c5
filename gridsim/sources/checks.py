"""The checks on what a source posts and returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gridsim.api import Instruction, Target
from gridsim.contracts.instructions import Unreadable
from gridsim.errors import printable
from gridsim.redaction import redacted


def known_refusals(refused: Mapping[int, str] | None, number: int) -> Mapping[int, str]:
    """Return the refusals. Raises TypeError if they are not those of `number` answers."""
    if refused is None:
        return {}
    if not isinstance(refused, Mapping) or not all(
        isinstance(place, int) and 0 <= place < number and isinstance(reason, str)
        for place, reason in refused.items()
    ):
        raise TypeError(
            f"acknowledge must return the reason for each refusal by its index, or None, "
            f"not {printable(repr(refused))}"
        )
    return {place: printable(reason) for place, reason in refused.items()}


def checked_instruction(instruction: Instruction) -> Instruction:
    """Return the instruction. Raises TypeError if the run could not read it."""
    if not isinstance(instruction, Instruction):
        raise TypeError(f"a source must post instructions, not {type(instruction).__name__}")
    target = instruction.target
    if not (
        isinstance(target, Target)
        and isinstance(target.project_id, str)
        and isinstance(target.der_id, str | None)
    ):
        raise TypeError(
            f"a source must post instructions to a Target of ids, not {printable(repr(target))}"
        )
    if isinstance(instruction, Unreadable):
        return replace(instruction, reason=redacted(instruction.reason))
    return instruction
