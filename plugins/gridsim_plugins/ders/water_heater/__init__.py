"""Electric storage water heaters: a tank, a thermostat, people who draw hot water."""

from gridsim_plugins.ders.water_heater.fleet import WaterHeater, gridsim_register

__all__ = ["WaterHeater", "gridsim_register"]
