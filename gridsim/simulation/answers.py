"""The acknowledgements of instructions."""

from __future__ import annotations

from gridsim.api import Acknowledgement, CallEvent, Instruction, Status, Tick
from gridsim.contracts.instructions import action_of
from gridsim.contracts.results import EventChange, EventTotals


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
    if change.kind == "cancelled":
        return answer(call, "cancelled", tick, "by its cancel_after_s")
    status, reason = end_of_call(change.totals)
    return answer(call, status, tick, reason)


def end_of_call(totals: EventTotals) -> tuple[Status, str]:
    """Return the status of a called event that has ended on all its projects, and the reason."""
    if totals.took_part and totals.superseded == totals.took_part:
        return "superseded", "by a later event"
    parts = [
        f"{count} {ending}"
        for count, ending in ((totals.superseded, "superseded"), (totals.cancelled, "cancelled"))
        if count
    ]
    return "completed", f"{', '.join(parts)} of {totals.took_part} projects" if parts else ""
