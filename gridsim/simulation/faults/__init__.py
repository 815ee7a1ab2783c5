"""Faults: their times, their effects on reports and messages, and the rows they hold back."""

from gridsim.simulation.faults.book import FaultBook
from gridsim.simulation.faults.tally import FaultTotals, Passed

__all__ = ["FaultBook", "FaultTotals", "Passed"]
