"""The bounds of a run's speed."""

from __future__ import annotations

from typing import Final

MIN_SPEED: Final = 1e-3
"""The lowest speed above 0; 0 is as fast as possible."""
MAX_SPEED: Final = 1e6


def check_speed(speed: float) -> None:
    """Raise ValueError if a speed is outside the bounds."""
    if not (speed == 0 or MIN_SPEED <= speed <= MAX_SPEED):
        raise ValueError(f"speed must be 0, or from 0.001 to 1,000,000, not {speed:g}")
