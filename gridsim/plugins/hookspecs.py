"""The hooks that plugins implement. Hooks run when plugins load, never per tick."""

from __future__ import annotations

import pluggy

from gridsim.api import Register

hookspec = pluggy.HookspecMarker("gridsim")


@hookspec
def gridsim_register(register: Register) -> None:
    """Register the types of the plugin. Called once, when the plugin has loaded."""
