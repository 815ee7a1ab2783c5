"""Small pieces of text that several lines share."""

from __future__ import annotations


def counted(n: int, what: str) -> str:
    """Return a count with its noun: "1 tick", "1,024 ticks"."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"
