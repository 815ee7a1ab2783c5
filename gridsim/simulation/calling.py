"""How the simulation calls plugins, and what it believes of what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

T = TypeVar("T")

LARGEST: Final = 1e12
"""No reading is larger: rounding would overflow far beyond it, and no device comes near."""


class Call(Protocol):
    """Calls a plugin, which bears the name; what it raises becomes a PluginError."""

    def __call__(self, name: str, do: Callable[[], T]) -> T: ...
