"""The plugins that compute several ticks at once."""

from __future__ import annotations


def has_block(plugin: type, base: type, single: str) -> bool:
    """Return true if `plugin` defines `block` for its own method `single`, such as `at`.

    The `block` of a class does not serve a subclass that overrides `single`.
    """
    for one in plugin.__mro__:
        if one is base:
            return False
        if "block" in vars(one):
            return True
        if single in vars(one):
            return False
    return False
