"""EV chargers: sessions of cars, tapered and smart charging, vehicle-to-grid."""

from gridsim.api import Register, hookimpl
from gridsim_plugins.ders.ev_charger.fleet import EvCharger

__all__ = ["EvCharger", "gridsim_register"]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("ev_charger", EvCharger)
