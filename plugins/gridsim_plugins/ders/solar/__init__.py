"""Solar arrays: irradiance on the tilted plane, cell temperature, modules, inverter."""

from gridsim.api import Register, hookimpl
from gridsim_plugins.ders.solar.fleet import Solar

__all__ = ["Solar", "gridsim_register"]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("solar", Solar)
