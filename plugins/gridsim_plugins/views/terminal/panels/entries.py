"""The last events, faults, commands and failures."""

from __future__ import annotations

import numpy as np
from rich.text import Text

from gridsim.api import Entry
from gridsim_plugins.views.terminal import words
from gridsim_plugins.views.terminal.scene import Scene, end_of
from gridsim_plugins.views.terminal.theme import BAD, FAULT, QUIET, STRONG

_STYLES = {"event": STRONG, "fault": FAULT, "command": "", "failure": BAD}
_KIND = 8


def wanted(scene: Scene) -> int:
    """Return the number of lines that show every entry, or that there is none."""
    return 1 + max(len(scene.snapshot.entries), 1)


def entries(scene: Scene, width: int, rows: int) -> list[Text]:
    """Return at most `rows` lines: a heading and the newest entries, the newest last."""
    if rows < 2:
        return []
    lines = [scene.heading("Events, faults, commands", 0, [], width)]
    found = scene.snapshot.entries[-(rows - 1) :]
    if not found:
        lines.append(end_of(Text(_hint(scene), QUIET, no_wrap=True), width))
    return [*lines, *(end_of(_line(scene, one), width) for one in found)]


def _line(scene: Scene, entry: Entry) -> Text:
    at = words.site_clock(entry.time_ms, scene.status.timezone)
    line = Text.assemble((f"{at:%H:%M:%S}  ", QUIET), no_wrap=True)
    line.append(f"{entry.kind:<{_KIND}} ", _STYLES.get(entry.kind, ""))
    # The kind has its own column.
    line.append(words.clean(entry.text.removeprefix(f"{entry.kind} ")))
    return line


def _hint(scene: Scene) -> str:
    if scene.status.state == "ended":
        return "none in this run"
    storage = np.flatnonzero(~np.isnan(scene.snapshot.devices.soc))
    if not len(storage):
        return "none yet"
    device = words.clean(scene.roster.der_id[int(storage[0])])
    return f"none yet; in a second terminal: gridsim send {device} set_power -3"
