"""Instructions that a program sends to a simulation, and their answers."""

from __future__ import annotations

from gridsim.contracts.instructions import Acknowledgement
from gridsim.simulator.making import Sendable


class SentInstruction:
    """An instruction that was sent to a simulation, with its answers so far.

    A simulation decides about an instruction at the start of a tick. So `state` is "pending"
    until the next `Simulator.run`, then "accepted" or "rejected", and later "completed",
    "superseded" or "cancelled".
    """

    instruction: Sendable
    """The instruction: a Command, CallEvent, CancelEvent, InjectFault or ClearFault."""
    acknowledgements: tuple[Acknowledgement, ...]
    """The answers so far, the first one first."""

    def __init__(
        self, instruction: Sendable, acknowledgements: tuple[Acknowledgement, ...] = ()
    ) -> None:
        self.instruction = instruction
        self.acknowledgements = acknowledgements

    @property
    def id(self) -> str:
        """The id of the instruction, which its answers have, too."""
        return self.instruction.id

    @property
    def state(self) -> str:
        """The status of the last answer: "accepted", "rejected" and so on; or "pending"."""
        return self.acknowledgements[-1].status if self.acknowledgements else "pending"

    @property
    def reason(self) -> str:
        """The reason for a rejection or an early end; else empty."""
        return self.acknowledgements[-1].reason if self.acknowledgements else ""

    def copied(self) -> SentInstruction:
        """Return a copy that gets the answers of another simulation."""
        return SentInstruction(self.instruction, self.acknowledgements)

    def add(self, answer: Acknowledgement) -> None:
        """Add an answer."""
        self.acknowledgements = (*self.acknowledgements, answer)

    def __repr__(self) -> str:
        because = f" ({self.reason})" if self.reason else ""
        return f"<{type(self.instruction).__name__} {self.id!r}: {self.state}{because}>"
