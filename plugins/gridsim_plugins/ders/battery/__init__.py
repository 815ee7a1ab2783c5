"""Batteries with measured losses, limits near full and empty, and strategies."""

from gridsim_plugins.ders.battery.fleet import Battery, gridsim_register

__all__ = ["Battery", "gridsim_register"]
