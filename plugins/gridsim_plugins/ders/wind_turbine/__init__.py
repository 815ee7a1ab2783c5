"""Wind turbines: a power curve, the wind at the hub, air density and gusts."""

from gridsim_plugins.ders.wind_turbine.fleet import WindTurbine, gridsim_register

__all__ = ["WindTurbine", "gridsim_register"]
