"""The arrangement of the panels: one column, or two in a wide window."""

from __future__ import annotations

from rich.text import Text

from gridsim.terminals import MIN_COLUMNS, MIN_LINES
from gridsim_plugins.views.terminal.panels.contracts import contracts
from gridsim_plugins.views.terminal.panels.contracts import wanted as contract_lines
from gridsim_plugins.views.terminal.panels.delivery import delivery
from gridsim_plugins.views.terminal.panels.entries import entries
from gridsim_plugins.views.terminal.panels.entries import wanted as entry_lines
from gridsim_plugins.views.terminal.panels.header import header
from gridsim_plugins.views.terminal.panels.power import power
from gridsim_plugins.views.terminal.scene import Scene

_TWO_COLUMNS = 150
# From this height on there is an empty line below the header, and hints.
_ROOMY = 28
_GAP = 4
# The smallest number of lines for contracts and for entries, if there are any.
_CONTRACTS, _ENTRIES = 4, 4
# The largest number of lines for entries if contracts are hidden.
_HISTORY = 12


def compose(scene: Scene, columns: int, rows: int) -> list[Text]:
    """Return the lines of the picture for a window of this size.

    The last column and the last row of the window stay free, for the cursor.
    """
    width, height = columns - 1, rows - 1
    if columns < MIN_COLUMNS or rows < MIN_LINES:
        return header(scene, width)[: max(min(height, 2), 0)]
    top = header(scene, width)
    if height >= _ROOMY:
        top.append(Text())
    height -= len(top)
    if width >= _TWO_COLUMNS:
        below = _two_columns(scene, width, height)
    else:
        below = _one_column(scene, width, height)
    return [*top, *below[: max(height, 0)]]


def _one_column(scene: Scene, width: int, height: int) -> list[Text]:
    fixed = [power(scene, width), delivery(scene, width, hints=height >= _ROOMY)]
    first, second = _split(scene, height - sum(map(len, fixed)))
    panels = [fixed[0], contracts(scene, width, first), fixed[1], entries(scene, width, second)]
    return _stacked(panels, height)


def _two_columns(scene: Scene, width: int, height: int) -> list[Text]:
    left = (width - _GAP) // 2
    right = width - _GAP - left
    first, second = _split(scene, height - 1)
    beside = [power(scene, left), delivery(scene, left, hints=True)]
    panels = [contracts(scene, right, first), entries(scene, right, second)]
    one, other = _stacked(beside, height), _stacked(panels, height)
    rows = max(len(one), len(other))
    one += [Text()] * (rows - len(one))
    other += [Text()] * (rows - len(other))
    lines = []
    for ours, theirs in zip(one, other, strict=True):
        line = ours.copy()
        line.pad_right(left + _GAP - line.cell_len)
        line.append_text(theirs)
        line.rstrip()
        lines.append(line)
    return lines


def _split(scene: Scene, rows: int) -> tuple[int, int]:
    """Return how many of `rows` lines the contracts and the entries get."""
    first, second = contract_lines(scene), entry_lines(scene)
    if first + second <= rows:
        return first, rows - first
    # Contracts have as many lines as they need, but the entries keep a few.
    kept = min(second, max(_ENTRIES, min(_HISTORY, rows // 3)))
    first = min(first, max(rows - kept, min(first, _CONTRACTS)))
    return first, max(rows - first, 0)


def _stacked(panels: list[list[Text]], height: int) -> list[Text]:
    """Return the panels below each other, with an empty line between them if there is room."""
    shown = [panel for panel in panels if panel]
    spare = height - sum(map(len, shown)) >= len(shown) - 1
    lines: list[Text] = []
    for panel in shown:
        if lines and spare:
            lines.append(Text())
        lines += panel
    return lines
