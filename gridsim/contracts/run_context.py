"""The run that a transport, source or probe serves, as far as a plugin may know it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gridsim.contracts.batch import Roster


class Service(Protocol):
    """An object that several plugins of one run share."""

    def close(self) -> None:
        """Release everything; called once, at the end of the run."""


ServiceT = TypeVar("ServiceT", bound=Service)


class ServiceProvider(Protocol):
    """The way to a run's services."""

    def __call__(self, key: str, factory: Callable[[], ServiceT], /) -> ServiceT:
        """Return the run's one object for `key`; `factory` makes it at the first call.

        May be called from any thread. The factory is called at most once for each key, and must
        return at once, because other callers wait for it. Start the key with the name of your
        plugin. The run closes its services when it ends, after its transports and sources, the
        newest service first.
        """


@dataclass(frozen=True, slots=True, eq=False)
class RunContext:
    """The run, as its transports, sources and probes see it."""

    roster: Roster
    start_ms: int
    """The simulation's start, UTC."""
    service: ServiceProvider
    """The function that returns an object shared by the run's plugins, for example a broker."""
