"""Sources of instructions for a run: a worker for each, and the group of all."""

from gridsim.sources.counters import SourceCounters
from gridsim.sources.group import Sources
from gridsim.sources.worker import MAX_UNANSWERED, SourceWorker, is_own

__all__ = ["MAX_UNANSWERED", "SourceCounters", "SourceWorker", "Sources", "is_own"]
