"""Sources of commands beside a run: a worker each, and all of them together."""

from gridsim.sources.group import Sources
from gridsim.sources.worker import SourceWorker

__all__ = ["SourceWorker", "Sources"]
