"""The days that come with gridsim: configurations that a back-end must get right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "days"
RESTARTS_BROKER: Final = "broker-restart"
"""The name of the day with a restart of the broker in its middle, shipped or the user's own."""


@dataclass(frozen=True, slots=True)
class NamedDay:
    """A day to check, not yet read."""

    name: str
    path: Path
    shipped: bool = True

    @property
    def restarts_broker(self) -> bool:
        """True if the broker restarts in the middle of the day."""
        return self.name == RESTARTS_BROKER

    def summary(self) -> str:
        """Return the first sentence of the comment at the head of the file."""
        lines: list[str] = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            text = line.removeprefix("#").strip()
            if line.startswith("#:") or (not text and not lines):
                continue
            if not line.startswith("#") or not text:
                break
            lines.append(text)
        whole = " ".join(lines)
        return whole.partition(". ")[0].rstrip(".")


def shipped_days() -> dict[str, NamedDay]:
    """Return the days that come with gridsim, by name."""
    return {path.stem: NamedDay(path.stem, path) for path in sorted(FOLDER.glob("*.toml"))}
