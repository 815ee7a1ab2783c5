"""The objects that the transports, sources and probes of one run share."""

from __future__ import annotations

import threading

import pytest

from gridsim.errors import PluginError
from gridsim.plugins.services import Services

DEADLINE_S = 20.0


class Shared:
    """Notes its closing."""

    def __init__(self, name: str, closed: list[str]) -> None:
        self.name = name
        self.closed = closed

    def close(self) -> None:
        self.closed.append(self.name)


class Stubborn(Shared):
    def close(self) -> None:
        super().close()
        raise RuntimeError(f"{self.name} does not close")


def test_all_who_ask_from_any_thread_get_the_one_object() -> None:
    made: list[Shared] = []
    got: list[Shared] = []
    together = threading.Barrier(8)

    def factory() -> Shared:
        made.append(Shared("one", []))
        return made[-1]

    def ask() -> None:
        together.wait(DEADLINE_S)
        got.append(services.get("one", factory))

    with Services() as services:
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
    assert got == made * 8


def test_they_are_closed_once_the_newest_first() -> None:
    closed: list[str] = []
    services = Services()
    for name in ("a", "b", "c", "a"):
        services.get(name, lambda name=name: Shared(name, closed))  # type: ignore[misc]
    services.close()
    assert closed == ["c", "b", "a"]
    services.close()
    assert closed == ["c", "b", "a"]


def test_what_a_service_is_made_of_is_closed_after_it() -> None:
    closed: list[str] = []
    services = Services()

    def outer() -> Shared:
        services.get("inner", lambda: Shared("inner", closed))
        return Shared("outer", closed)

    services.get("outer", outer)
    services.close()
    assert closed == ["outer", "inner"]


def test_a_factory_that_fails_is_asked_again() -> None:
    with Services() as services:

        def broken() -> Shared:
            raise OSError("no port")

        with pytest.raises(OSError, match="no port"):
            services.get("one", broken)
        assert services.get("one", lambda: Shared("whole", [])).name == "whole"


def test_one_that_does_not_close_leaves_none_open() -> None:
    closed: list[str] = []
    services = Services()
    services.get("a", lambda: Shared("a", closed))
    services.get("b", lambda: Stubborn("b", closed))
    services.get("c", lambda: Stubborn("c", closed))
    with pytest.raises(RuntimeError, match="c does not close"):
        services.close()
    assert closed == ["c", "b", "a"]


def test_after_the_run_there_are_none() -> None:
    with Services() as services:
        pass
    with pytest.raises(PluginError, match="'late' is not available: the run has ended"):
        services.get("late", lambda: Shared("late", []))
