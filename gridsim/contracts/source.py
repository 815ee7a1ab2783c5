"""Sources: how commands come in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic

from gridsim.contracts.instructions import Acknowledgement, Inbox
from gridsim.contracts.run_context import RunContext
from gridsim.contracts.settings import S, Settings


class Source(ABC, Generic[S]):
    """The contract of a source of commands.

    `connect`, `serve`, `acknowledge` and `close` are called from one worker thread of the
    source's own; any of them may raise `TransportError`: the worker then closes, waits with
    growing pauses and connects again. `describe` may be called from any thread.
    """

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: S, run: RunContext) -> None:
        """Open nothing. Raises ValueError if the settings do not fit the run."""
        self.settings = settings
        self.run = run

    @abstractmethod
    def describe(self) -> str:
        """Where commands are taken from, for a person: one line, without secrets."""

    @abstractmethod
    def connect(self) -> None:
        """Open the way in."""

    @abstractmethod
    def serve(self, inbox: Inbox, timeout_s: float) -> None:
        """Post what arrives, and return after about `timeout_s`."""

    @abstractmethod
    def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        """Tell what became of commands that came by this source, in this order."""

    @abstractmethod
    def close(self) -> None:
        """Release everything; called also after a failure, and before each `connect` anew."""
