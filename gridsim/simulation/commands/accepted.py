"""A command from its acceptance to its end."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gridsim.api import Command, Floats
from gridsim.simulation.commands.targets import ResolvedTarget


@dataclass(slots=True, eq=False)
class AcceptedCommand:
    """A command, what it acts on, and how far it is."""

    number: int
    """A count of the accepted commands, by which commands of the same time are in order."""
    command: Command
    """Without its periods, which take a checkpoint long: `aim` has their values."""
    aim: ResolvedTarget
    end_ms: float
    """The end, UTC ms; inf for a command without a duration."""
    starts_ms: Floats
    """The starts of the periods, UTC ms; empty without periods."""
    planned: bool
    """True if it was accepted before the tick of its start."""
    reached: bool = False
    """True once the target state of charge was reached and acknowledged."""
    period: int = 0
    """The place of the last period that was in force; 0 for a command without periods."""

    awaited: bool = False
    """True while the book has the start of the next period in its queue."""

    @classmethod
    def of(
        cls,
        number: int,
        command: Command,
        aim: ResolvedTarget,
        start_ms: int,
        end_ms: float,
        planned: bool,
    ) -> AcceptedCommand:
        """Return an accepted command that starts at `start_ms`, UTC ms."""
        starts_ms = start_ms + 1000.0 * np.array([one.start_s for one in command.periods])
        if command.periods:
            command = replace(command, value=command.periods[0].value, periods=())
        return cls(number, command, aim, end_ms, starts_ms, planned)

    @property
    def next_ms(self) -> float | None:
        """The start of the next period, UTC ms; None after the last one."""
        after = self.period + 1
        return float(self.starts_ms[after]) if after < len(self.starts_ms) else None

    def move_to(self, time_ms: int) -> None:
        """Move on to the period in force at a time; never back."""
        while (next_ms := self.next_ms) is not None and next_ms <= time_ms:
            self.period += 1
