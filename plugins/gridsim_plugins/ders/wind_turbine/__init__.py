"""Wind turbines: a power curve, the wind at the hub, air density and gusts."""

from gridsim.api import Register, hookimpl
from gridsim_plugins.ders.wind_turbine.fleet import WindTurbine

__all__ = ["WindTurbine", "gridsim_register"]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("wind_turbine", WindTurbine)
