"""How the simulation calls plugins, and what it believes of what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from gridsim.api import State, StateError, Stateful

T = TypeVar("T")

LARGEST: Final = 1e12
"""No reading is larger: rounding would overflow far beyond it, and no device comes near."""


class Call(Protocol):
    """Calls a plugin, which bears the name; what it raises becomes a PluginError."""

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
