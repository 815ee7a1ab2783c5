"""Commands: from a request's text to what is asked of devices and sites in a tick."""

from gridsim.simulation.commands.book import CommandBook

__all__ = ["CommandBook"]
