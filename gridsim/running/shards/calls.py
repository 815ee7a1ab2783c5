"""Calls of a shard as plain data: a method with its arguments, and its answer or error."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gridsim.contracts.run_context import Announcement
from gridsim.errors import GridsimError, described
from gridsim.running.shards.messages import (
    Question,
    ShardHost,
    ShardRefusedError,
    ShardReport,
    ShardSchedule,
    StampedInstruction,
)


class CallAnswer(NamedTuple):
    """The answer to a call, which can be pickled."""

    value: Any = None
    error: str = ""
    """The text of the error; empty if there was none."""
    kind: str = ""
    """`KeyError` and `ValueError` are raised again as such, others as ShardRefusedError."""
    exit_status: int = 1

    def taken(self) -> Any:
        """Return the value, or raise the error."""
        if not self.kind:
            return self.value
        if self.kind == "KeyError":
            raise KeyError(self.error)
        if self.kind == "ValueError":
            raise ValueError(self.error)
        raise ShardRefusedError(self.error, self.exit_status)


def answered(host: ShardHost, method: str, arguments: Sequence[Any]) -> CallAnswer:
    """Call a method of a shard, and return its answer or its error."""
    try:
        return CallAnswer(getattr(host, method)(*arguments))
    except KeyError as error:
        return CallAnswer(None, str(error.args[0]) if error.args else "", "KeyError")
    except ValueError as error:
        return CallAnswer(None, str(error), "ValueError")
    except GridsimError as error:
        return CallAnswer(None, str(error), "GridsimError", error.exit_status)
    except Exception as error:
        return CallAnswer(None, described(error), type(error).__name__)


def written(answer: CallAnswer) -> bytes:
    """Return an answer as bytes; one that cannot be pickled becomes an error."""
    try:
        return pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        text = f"the answer of the shard cannot be sent: {described(error)}"
        return pickle.dumps(CallAnswer(None, text, "GridsimError"))


class CalledHost(ABC):
    """A `ShardHost` whose calls are carried to another process."""

    @abstractmethod
    def _call(self, method: str, *arguments: Any) -> Any:
        """Return what `answered` returns in the shard's process, taken. Raises ShardLostError."""

    def prepare(self) -> None:
        """Make the plan of the shard."""
        self._call("prepare")

    def start(self, announced: Mapping[str, Announcement]) -> ShardReport:
        """Connect the transports."""
        return self._call("start", announced)  # type: ignore[no-any-return]

    def follow(self, schedule: ShardSchedule) -> None:
        """Run the ticks that are allowed by this schedule from now on."""
        self._call("follow", schedule)

    def advance(
        self,
        until: int,
        instructions: Sequence[StampedInstruction],
        since: int,
        wait_s: float,
    ) -> ShardReport:
        """Allow the ticks below `until`, and report what is new."""
        return self._call("advance", until, instructions, since, wait_s)  # type: ignore[no-any-return]

    def pause(self) -> int:
        """Stop ticks after the present one, and return the index of the next."""
        return self._call("pause")  # type: ignore[no-any-return]

    def finish(self, tick: int, since: int) -> ShardReport:
        """Run the ticks below `tick` at once in a pause, and report."""
        return self._call("finish", tick, since)  # type: ignore[no-any-return]

    def ask(self, question: Question, arguments: Sequence[Any]) -> Any:
        """Return what the shard's monitor answers."""
        return self._call("ask", question, arguments)

    def confirm(self, timeout_s: float) -> bool:
        """Wait until no reading is on its way, and return whether that is so."""
        return self._call("confirm", timeout_s)  # type: ignore[no-any-return]

    def save_checkpoint(self, timeout_s: float) -> bool:
        """Write a checkpoint now, in a pause, and return whether it is on the disk."""
        return self._call("save_checkpoint", timeout_s)  # type: ignore[no-any-return]

    def stop(self, flush_s: float | None, since: int) -> ShardReport:
        """End the shard, and report once more."""
        return self._call("stop", flush_s, since)  # type: ignore[no-any-return]
