"""Sources: instructions from other systems, and the acknowledgements that they receive."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic

from gridsim.contracts.instructions import Acknowledgement, Inbox, Target
from gridsim.contracts.message import MessageAddress
from gridsim.contracts.run_context import RunContext
from gridsim.contracts.settings import S, Settings


class Source(ABC, Generic[S]):
    """The contract of a source of commands.

    `connect`, `serve`, `acknowledge` and `close` are called from one worker thread, which serves
    this source alone. Any of them may raise `TransportError`: the worker then closes the source and
    connects again, after pauses that grow. `describe` and `hurry` may be called from any thread.
    """

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: S, run: RunContext) -> None:
        """Open nothing. Raises ValueError if the settings do not fit the run."""
        self.settings = settings
        self.run = run

    @abstractmethod
    def describe(self) -> str:
        """Return where the commands come from, for people: one line, without secrets."""

    def address(self, target: Target) -> MessageAddress:
        """Return the topic and QoS of acknowledgements, for the trace of a device.

        Called in the worker thread.
        """
        return MessageAddress()

    @abstractmethod
    def connect(self) -> None:
        """Open the connection."""

    def change_roster(self, run: RunContext) -> None:
        """Continue with the devices of `run`.

        Called in the worker thread after a reload of the configuration, if the settings of the
        source have stayed and the devices of the run have changed. A source that computes from the
        roster in its constructor does so again.
        """
        self.run = run

    @abstractmethod
    def serve(self, inbox: Inbox, timeout_s: float) -> None:
        """Post what arrives, and return after about `timeout_s`."""

    @abstractmethod
    def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> Mapping[int, str] | None:
        """Send the acknowledgements of commands from this source, in this order.

        Return the far end's reason for each that it refused, by its index in `acknowledgements`;
        None if it refused none, or does not say.
        """

    def hurry(self) -> None:
        """Prepare for the end of the run: `serve` and `acknowledge` must return within a second.

        Called once, from another thread, in any state. A source need not do anything.
        """

    @abstractmethod
    def close(self) -> None:
        """Release everything; also called after a failure, before `connect` is called again."""
