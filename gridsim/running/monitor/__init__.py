"""The monitor: what the views of a run need, made from its results off the engine's thread."""

from gridsim.running.monitor.monitor import Monitor

__all__ = ["Monitor"]
