"""The progress of a long command. The command line decides where to show it."""

from __future__ import annotations


class Progress:
    """The progress of one command, in phases. This class shows nothing; subclasses do."""

    def begin(self, phase: str, total: float | None = None) -> None:
        """Begin a phase of `total` parts, which replaces the phase before; None: the number is
        unknown.
        """

    def advance(self, parts: float = 1.0) -> None:
        """Count further parts of the phase as done."""
