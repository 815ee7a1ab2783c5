"""Batteries with measured losses, limits near full and empty, and strategies."""

from gridsim.api import Register, hookimpl
from gridsim_plugins.ders.battery.fleet import Battery

__all__ = ["Battery", "gridsim_register"]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("battery", Battery)
