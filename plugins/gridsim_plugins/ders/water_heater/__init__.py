"""Electric storage water heaters: a tank, a thermostat, and a household that draws hot water."""

from gridsim.api import Register, hookimpl
from gridsim_plugins.ders.water_heater.fleet import WaterHeater

__all__ = ["WaterHeater", "gridsim_register"]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("water_heater", WaterHeater)
