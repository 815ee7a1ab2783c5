"""EV chargers: cars come, charge, stay and leave."""

from gridsim_plugins.ders.ev_charger.fleet import EvCharger, gridsim_register

__all__ = ["EvCharger", "gridsim_register"]
