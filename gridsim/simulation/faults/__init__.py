"""Faults: when they strike, what they do to reports and messages, and which rows they hold back."""

from gridsim.simulation.faults.book import FaultBook
from gridsim.simulation.faults.tally import FaultTotals, Passed

__all__ = ["FaultBook", "FaultTotals", "Passed"]
