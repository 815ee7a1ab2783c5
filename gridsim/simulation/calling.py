"""The calls from the simulation to plugins; a failure has the plugin's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from gridsim.api import State, StateError, Stateful
from gridsim.errors import PluginError, failure

T = TypeVar("T")


class Call(Protocol):
    """A function that calls a named plugin and turns its exceptions into PluginError."""

    def __call__(self, name: str, do: Callable[[], T]) -> T: ...


class PluginCalls:
    """The calls of a simulation and its copies. Calls nest: a baseline may call a load."""

    def __init__(self) -> None:
        self.busy_with = ""
        """The plugin that is being called, for a watcher in another thread."""

    def __call__(self, name: str, do: Callable[[], T]) -> T:
        """Return `do()`; a failure names the plugin."""
        before, self.busy_with = self.busy_with, name
        try:
            return do()
        except PluginError:
            raise
        except BaseException as error:
            raise failure(name, error) from error
        finally:
            self.busy_with = before


def named(name: str, plugin: Stateful) -> State:
    """Return a plugin's state. Raises StateError, naming the plugin, if it cannot be kept."""
    try:
        return plugin.state()
    except StateError as error:
        raise StateError(f"{name}: {error}") from error
    except BaseException as error:
        raise StateError(str(failure(name, error, "failed to return its state"))) from error
