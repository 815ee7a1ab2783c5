"""The transports and the sources."""

from __future__ import annotations

from rich.text import Text

from gridsim.api import SourceStatus, TransportStatus
from gridsim_plugins.views.terminal import words
from gridsim_plugins.views.terminal.scene import Scene, end_of
from gridsim_plugins.views.terminal.theme import BAD, QUIET

_NAME, _STATE = 16, 13
_DELAYS = (("p50", 10), ("p99", 10))
# The states of a transport and a source that need no attention.
_CALM = ("up", "closed", "connecting", "starting")


def delivery(scene: Scene, width: int, *, hints: bool = False) -> list[Text]:
    """Return a line for each transport and source, and one for each error.

    With `hints` there is also a command that shows the readings.
    """
    status = scene.status
    if not status.transports:
        return []
    name = scene.widths.of(
        "transport",
        [
            *(words.clean(one.name) for one in status.transports),
            *(f"{words.clean(one.name)} source" for one in status.sources),
        ],
        10,
        _NAME,
    )
    state = scene.widths.of("state", [one.state for one in status.transports], 6, _STATE)
    figures = [_figures(scene, one) for one in status.transports]
    columns = [
        (title, 2 + scene.widths.of(title, [title, *(one[title] for one in figures)], 6))
        for title in figures[0]
    ]
    if width - name - state - sum(size for _, size in columns) >= 20:
        columns += _DELAYS
    lines = [scene.heading("Transports", name + 1 + state, columns, width)]
    for one, cells in zip(status.transports, figures, strict=True):
        line = Text(f"{scene.cut(one.name, name)} ", no_wrap=True)
        line.append(scene.cut(one.state, state), "" if one.state in _CALM else BAD)
        for title, size in columns:
            bad = title == "dropped" and bool(one.dropped_total)
            line.append(f"{cells.get(title) or _delay(one, title):>{size}}", BAD if bad else "")
        lines.append(end_of(line, width))
        lines += [end_of(_note(text), width) for text in _notes(one)]
        if hints and one.hint and one.state == "up":
            lines.append(end_of(Text(f"  watch it: {words.clean(one.hint)}", QUIET), width))
    for source in status.sources:
        lines.append(end_of(_source(scene, source, name, state), width))
        if source.error:
            lines.append(end_of(_note(f"last error: {source.error}"), width))
    return lines


def _figures(scene: Scene, one: TransportStatus) -> dict[str, str]:
    return {
        "readings/s": words.rate(scene.rates.delivered(one.name)),
        "queue": f"{one.pending:,}",
        "confirmed": f"{one.delivered:,}",
        "dropped": f"{one.dropped_total:,}",
    }


def _delay(one: TransportStatus, title: str) -> str:
    if not len(one.settled):
        return "-"
    return words.delay(one.settled.quantile(0.5 if title == "p50" else 0.99))


def _notes(one: TransportStatus) -> list[str]:
    notes = []
    if one.dropped_total:
        reasons = sorted(one.dropped.items())
        notes.append("dropped: " + ", ".join(f"{n:,} {why}" for why, n in reasons if n))
    if one.unconfirmed:
        notes.append(f"{one.unconfirmed:,} unconfirmed: they may not have arrived")
    if one.error:
        notes.append(f"last error: {one.error}")
    return notes


def _note(text: str) -> Text:
    return Text(f"  {words.clean(text)}", BAD, no_wrap=True)


def _source(scene: Scene, one: SourceStatus, name: int, state: int) -> Text:
    line = Text(f"{scene.cut(f'{one.name} source', name)} ", no_wrap=True)
    line.append(scene.cut(one.state, state), "" if one.state in _CALM else BAD)
    plural = "" if one.posted == 1 else "s"
    line.append(f"  {one.posted:,} command{plural} in, {one.acknowledged:,} acknowledged")
    if one.refused or one.lost:
        line.append(f", {one.refused + one.lost:,} refused", BAD)
    if one.undelivered:
        line.append(f", {one.undelivered:,} not delivered", BAD)
    return line
