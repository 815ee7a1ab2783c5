"""Air-source heat pumps in buildings with one thermal mass."""

from gridsim.api import Register, hookimpl
from gridsim_plugins.ders.heat_pump.fleet import HeatPump

__all__ = ["HeatPump", "gridsim_register"]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("heat_pump", HeatPump)
