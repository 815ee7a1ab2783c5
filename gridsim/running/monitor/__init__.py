"""The monitor, which makes the data of a run's views from its results, outside the engine's
thread.
"""

from gridsim.running.monitor.monitor import Monitor

__all__ = ["Monitor"]
