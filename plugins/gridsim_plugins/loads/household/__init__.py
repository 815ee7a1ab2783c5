"""The load `household`: the standard profile, with appliances that switch on and off."""

from gridsim_plugins.loads.household.plugin import Household, gridsim_register

__all__ = ["Household", "gridsim_register"]
