"""The progress of a command that takes a while. Where it is shown is up to the command line."""

from __future__ import annotations


class Progress:
    """The progress of one command, in phases. This class shows nothing; subclasses do."""

    def begin(self, phase: str, total: float | None = None) -> None:
        """Begin a phase of this many parts, in place of the one before; None: it is not known."""

    def advance(self, parts: float = 1.0) -> None:
        """Count further parts of the phase as done."""
