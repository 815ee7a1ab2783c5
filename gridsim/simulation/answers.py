"""The acknowledgements of instructions."""

from __future__ import annotations

from gridsim.api import Acknowledgement, CallEvent, Instruction, Status, Tick
from gridsim.contracts.instructions import action_of
from gridsim.contracts.results import EventChange


def answer(
    instruction: Instruction, status: Status, tick: Tick, reason: str = ""
) -> Acknowledgement:
    """Return an acknowledgement of the instruction in this tick."""
    return Acknowledgement(
        target=instruction.target,
        id=instruction.id,
        status=status,
        reason=reason,
        tick=tick.index,
        time_ms=tick.time_ms,
        source=instruction.source,
        action=action_of(instruction),
    )


def answer_to_call(call: CallEvent, change: EventChange, tick: Tick) -> Acknowledgement:
    """Return the final acknowledgement of a call, which depends on how its event ended."""
    totals = change.totals
    if change.kind == "cancelled":
        return answer(call, "cancelled", tick, "by its cancel_after_s")
    if totals.took_part and totals.superseded == totals.took_part:
        return answer(call, "superseded", tick, "by a later event")
    parts = [
        f"{count} {ending}"
        for count, ending in ((totals.superseded, "superseded"), (totals.cancelled, "cancelled"))
        if count
    ]
    reason = f"{', '.join(parts)} of {totals.took_part} projects" if parts else ""
    return answer(call, "completed", tick, reason)
