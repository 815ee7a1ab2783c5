"""The common style of all plots, and files that are identical in every run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

mpl.rcParams.update(
    {"axes.grid": True, "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False,
     "font.size": 9, "legend.frameon": False, "lines.linewidth": 1.0}
)  # fmt: skip


def canvas(rows: int = 1, columns: int = 1, *, size: tuple[float, float], **options: Any) -> Any:
    """Return a figure and its axes."""
    figure = Canvas(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def save(figure: Canvas, folder: Path, name: str, dpi: int = 110) -> None:
    """Save as PNG, without the name and version of the software in the file."""
    figure.savefig(folder / name, dpi=dpi, metadata={"Software": None})
