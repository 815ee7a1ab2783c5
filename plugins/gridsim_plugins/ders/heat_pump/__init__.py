"""Heat pumps in a building with one thermal mass."""

from gridsim_plugins.ders.heat_pump.fleet import HeatPump, gridsim_register

__all__ = ["HeatPump", "gridsim_register"]
