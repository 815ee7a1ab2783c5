"""The counters of one source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SourceCounters:
    """Numbers of instructions, acknowledgements and reconnections."""

    posted: int = 0
    """Instructions that went into the inbox."""
    refused: int = 0
    """Instructions that did not fit, and were answered "rejected" or count as unanswerable."""
    unanswerable: int = 0
    """Refused instructions that were not answered: there were too many refusals already."""
    lost: int = 0
    """Instructions that arrived and were dropped unread."""
    unanswered: int = 0
    """Posted instructions that have no answer yet."""
    waiting: int = 0
    """Acknowledgements that wait to be handed over."""
    acknowledged: int = 0
    """Acknowledgements that were handed over."""
    undelivered: int = 0
    """Acknowledgements that were abandoned when the source failed or the run ended, or that were
    refused.
    """
    reconnects: int = 0
