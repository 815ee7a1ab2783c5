"""Generating sets: minimum load, start delay, ramp rate, fuel."""

from gridsim.api import Register, hookimpl
from gridsim_plugins.ders.generator.fleet import Generator

__all__ = ["Generator", "gridsim_register"]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("generator", Generator)
