"""The contract of each project: the target of the running event, and the delivered reduction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from gridsim_plugins.views.terminal import words
from gridsim_plugins.views.terminal.scene import Scene, end_of
from gridsim_plugins.views.terminal.sparkline import sparkline
from gridsim_plugins.views.terminal.theme import BAD, QUIET, STRONG

_TITLE = "Contracts, kW"
_ID = 24
_COLUMNS = (("contract", 11), ("target", 11), ("delivered", 11), ("of target", 11))
_STATE = 16
# In a narrow window the column of the contract is left out.
_NARROW = 75
_LEAST_CHART = 12
# One point of a project's history covers 15 s; 60 points are kept.
_POINTS = 60
# The urgency of a project that no event calls, and the largest number of lines for such projects.
_IDLE = 3
_IDLE_ROWS = 12

Columns = Sequence[tuple[str, int]]
"""The titles and the widths of columns."""


def wanted(scene: Scene) -> int:
    """Return the number of lines that show every contract."""
    order, worth = _order(scene)
    return 1 + worth + (len(order) > 1) if len(order) else 0


def contracts(scene: Scene, width: int, rows: int) -> list[Text]:
    """Return at most `rows` lines: the heading, the most urgent contracts, and their sum."""
    order, worth = _order(scene)
    if not len(order) or rows < 2:
        return []
    columns = [*_COLUMNS] if width >= _NARROW else [*_COLUMNS[1:]]
    numbers = sum(size for _, size in columns)
    names = [scene.roster.project_id[row] for row in order[:rows].tolist()]
    least = len(_TITLE)
    most = max(min(_ID, width - numbers - _STATE), least)
    name = scene.widths.of("project", [words.clean(n) for n in names], least, most)
    chart = min(width - name - numbers - _STATE, _POINTS)
    headings = [*columns]
    if chart >= _LEAST_CHART:
        headings.append(("last 15 min", _STATE + chart))
    lines = [scene.heading(_TITLE, name, headings, width)]
    total = len(order) > 1
    shown = order[: min(rows - 1 - total, worth)]
    past = scene.project_history(shown) if chart >= _LEAST_CHART and len(shown) else None
    for place, row in enumerate(shown.tolist()):
        line = _row(scene, row, name, columns)
        if past is not None:
            series = past[place].astype(np.float64)
            style = BAD if scene.snapshot.sites.in_violation[row] else QUIET
            bars = sparkline(series[-chart:], scene.glyphs, style)
            line.append(" " * (chart - bars.cell_len))
            line.append_text(bars)
        lines.append(end_of(line, width))
    if total:
        lines.append(end_of(_total(scene, order, name, columns), width))
    return lines


def _order(scene: Scene) -> tuple[NDArray[np.intp], int]:
    """Return the projects with a contract, and how many of them are worth a line.

    Violations come first, then the projects that are called, then those with past violations.
    """
    sites = scene.snapshot.sites
    rows = np.flatnonzero(~scene.roster.is_standalone)
    urgency = np.select(
        [sites.in_violation[rows], ~np.isnan(sites.target_kw[rows]), sites.violations[rows] > 0],
        [0, 1, 2],
        _IDLE,
    )
    worth = max(int(np.count_nonzero(urgency < _IDLE)), min(len(rows), _IDLE_ROWS))
    return rows[np.argsort(urgency, kind="stable")], worth


def _row(scene: Scene, row: int, name: int, columns: Columns) -> Text:
    sites = scene.snapshot.sites
    target = float(sites.target_kw[row])
    called = target == target
    delivered = float(sites.delivered_kw[row])
    violations = int(sites.violations[row])
    in_violation = bool(sites.in_violation[row])
    style = "" if called or in_violation else QUIET
    line = Text(no_wrap=True)
    line.append(scene.cut(scene.roster.project_id[row], name), style)
    cells = {
        "contract": words.power(float(sites.threshold_kw[row])),
        "target": words.power(target) if called else "-",
        "delivered": words.power(delivered) if called or in_violation else "-",
        "of target": words.share(delivered, target) if called else "-",
    }
    for title, size in columns:
        line.append(f"{cells[title]:>{size}}", style)
    if in_violation:
        state, style = "VIOLATION", BAD
    elif called:
        # Rounded to 10 W, like the readings and the contract, because a sum of three readings is
        # not exact.
        state = "met" if round(delivered, 2) >= round(target, 2) else "below"
    else:
        state = "not called"
    line.append(f"  {state:<{_STATE - 2}}", style)
    if violations:
        count = f"{violations:,}x"
        line.right_crop(len(count) + 1)
        line.append(f"{count} ", BAD)
    return line


def _total(scene: Scene, order: NDArray[np.intp], name: int, columns: Columns) -> Text:
    snapshot = scene.snapshot
    sites = snapshot.sites
    called = int(np.count_nonzero(~np.isnan(sites.target_kw[order])))
    violating = int(np.count_nonzero(sites.in_violation[order]))
    line = Text.assemble((f"{f'all {len(order):,}':<{name}}", STRONG), no_wrap=True)
    cells = {
        "contract": words.power(float(np.sum(sites.threshold_kw[order]))),
        "target": words.power(snapshot.target_kw) if called else "-",
        "delivered": words.power(snapshot.delivered_kw) if called else "-",
        "of target": words.share(snapshot.delivered_kw, snapshot.target_kw) if called else "-",
    }
    for title, size in columns:
        line.append(f"{cells[title]:>{size}}", STRONG)
    if violating:
        line.append(f"  {violating:,} in violation", BAD)
    else:
        line.append(f"  {called:,} called", STRONG if called else QUIET)
    return line
