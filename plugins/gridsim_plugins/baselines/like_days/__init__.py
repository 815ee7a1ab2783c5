"""Day matching, the baseline of demand-response programmes: the mean of the last days of the same
kind.
"""

from gridsim_plugins.baselines.like_days.plugin import DayMatching, gridsim_register

__all__ = ["DayMatching", "gridsim_register"]
