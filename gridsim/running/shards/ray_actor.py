"""The shard's side of the engine `ray`: a synchronous actor around a `HostedRun`."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from gridsim.errors import GridsimError
from gridsim.running.shards.calls import answered, written
from gridsim.running.shards.host import HostedRun
from gridsim.running.shards.messages import ShardSpec
from gridsim.version import __version__

PIECE: Final = 64 * 1024
"""The size of one answer, bytes: Ray passes up to 100 KB without its object store."""


class Versions(NamedTuple):
    """The versions that must be the same in the driver and in each of its shards."""

    gridsim: str
    python: str


class ActorPlace(NamedTuple):
    """The process in which an actor runs."""

    host: str
    pid: int


VERSIONS: Final = Versions(__version__, ".".join(platform.python_version_tuple()[:2]))


class ShardActor:
    """An actor with the shard that the driver makes in it.

    Ray starts an actor that was killed again, without a shard: the driver then makes the shard
    again. No call is repeated by Ray.
    """

    def __init__(self) -> None:
        self._host: HostedRun | None = None
        self._answer = b""

    def make(
        self, versions: Versions, spec: ShardSpec, environment: Mapping[str, str]
    ) -> tuple[Versions, ActorPlace]:
        """Make the shard, with variables that the configuration needs; it does not start yet."""
        if self._host is not None:
            # The driver could not reach it for a while: the earlier life ends with its process.
            os._exit(1)
        if tuple(versions) == tuple(VERSIONS):
            for name, value in environment.items():
                os.environ.setdefault(name, value)
            self._host = HostedRun(spec)
        return VERSIONS, ActorPlace(socket.gethostname(), os.getpid())

    def call(self, method: str, arguments: Sequence[Any]) -> tuple[int, bytes]:
        """Call a method of the shard; return the size of the pickled answer and its beginning."""
        if self._host is None:
            raise GridsimError("the actor has no shard: it was started again")
        self._answer = written(answered(self._host, method, arguments))
        return len(self._answer), self._answer[:PIECE]

    def rest(self, start: int) -> bytes:
        """Return the piece of the last answer from a byte on."""
        return self._answer[start : start + PIECE]
