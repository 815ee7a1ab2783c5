"""The run that a transport, source or probe serves, limited to what a plugin may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from gridsim.contracts.batch import Roster
from gridsim.contracts.shard import WHOLE, Shard


class Service(Protocol):
    """An object that several plugins of one run share."""

    def close(self) -> None:
        """Release everything; called once, at the end of the run."""


ServiceT = TypeVar("ServiceT", bound=Service)


class ServiceProvider(Protocol):
    """The function that returns a run's services."""

    def __call__(self, key: str, factory: Callable[[], ServiceT], /) -> ServiceT:
        """Return the run's one object for `key`; `factory` makes it at the first call.

        May be called from any thread. The factory is called at most once for each key, and must
        return at once, because other callers wait for it. Start the key with the name of your
        plugin. The run closes its services when it ends, after its transports and sources, the
        newest service first.
        """


Announcement = Mapping[str, str | int]
"""Values that a plugin leaves for the other processes of the same user, without secrets."""


def _announce_nothing(key: str, values: Announcement, /) -> None: ...


def _nothing_announced(key: str, like: Announcement, /) -> Announcement | None:
    return None


@dataclass(frozen=True, slots=True, eq=False)
class RunContext:
    """The run, as its transports, sources and probes see it."""

    roster: Roster
    start_ms: int
    """The simulation's start, UTC."""
    service: ServiceProvider
    """The function that returns an object shared by the run's plugins, for example a broker."""
    announce: Callable[[str, Announcement], None] = _announce_nothing
    """The function that leaves values under a key for probes in other processes.

    They are readable while the run is up. Start the key with the name of your plugin. May be
    called from any thread.
    """
    announced: Callable[[str, Announcement], Announcement | None] = _nothing_announced
    """The function with which a probe reads the values that the run in another process announced.

    If there are several runs of the configuration, it returns the values that include the second
    argument. It raises TransportError if there is no such run, or if the choice is not clear. It
    returns None where no runs can be found, as in a test.
    """
    is_resumed: bool = False
    """True if the run continues one that was killed: the files of that run are its own."""
    shard: Shard = WHOLE
    """The part of the run that this process simulates; the roster has the devices of this part."""
    given: Mapping[str, Announcement] = field(default_factory=dict)
    """The values that the driver of the shards has announced on this machine, by key, before the
    transports of this shard connect: see `Transport.share`. Empty in a run of one process."""
