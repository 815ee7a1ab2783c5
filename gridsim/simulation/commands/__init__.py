"""Commands: from a command to the orders of devices and sites in a tick."""

from gridsim.simulation.commands.book import CommandBook

__all__ = ["CommandBook"]
