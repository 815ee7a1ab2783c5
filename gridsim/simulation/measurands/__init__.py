"""The measurands of a run: the columns that the core computes if something wants them."""

from gridsim.simulation.measurands.measuring import Measuring

__all__ = ["Measuring"]
