"""The calls from the simulation to plugins, whose failures carry the plugin's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from gridsim.api import State, StateError, Stateful

T = TypeVar("T")


class Call(Protocol):
    """A function that calls the plugin of a name; an exception of it becomes a PluginError."""

    def __call__(self, name: str, do: Callable[[], T]) -> T: ...


def named(name: str, plugin: Stateful) -> State:
    """Return a plugin's state. Raises StateError, with the plugin's name, if it has none."""
    try:
        return plugin.state()
    except StateError as error:
        raise StateError(f"{name}: {error}") from error
    except Exception as error:
        kind = type(error).__name__
        raise StateError(f"{name} failed to give its state: {kind}: {error}") from error
