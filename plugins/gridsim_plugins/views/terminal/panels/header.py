"""The state of the run, its clock and its progress, followed by its problems."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from gridsim.api import RunStatus
from gridsim_plugins.views.terminal import words
from gridsim_plugins.views.terminal.scene import Scene, end_of, spaced
from gridsim_plugins.views.terminal.theme import BAD, QUIET, STRONG

# From this width on the header has one line fewer.
_WIDE = 120
_GAP = "   "


def header(scene: Scene, width: int) -> list[Text]:
    """Return the lines of the header."""
    status = scene.status
    bad = status.state == "ended" and bool(status.error)
    first = Text(no_wrap=True)
    first.append(f" {status.state.upper():<8} ", f"{BAD if bad else STRONG} reverse")
    first.append("  ")
    first.append(clock(scene), STRONG)
    first.append(f"{_GAP}{_speed(status)}")
    second = Text(_GAP.join(_counts(scene)), no_wrap=True)
    seed = Text(f"seed {status.seed}", QUIET, no_wrap=True)
    if width >= _WIDE:
        right = Text.assemble(seed, _GAP, _lag(scene))
        lines = [spaced(Text.assemble(first, _GAP, second), right, width)]
    else:
        lines = [spaced(first, _lag(scene), width), spaced(second, seed, width)]
    if status.ticks is not None or status.is_backfilling:
        lines.append(progress(scene, width))
    lines += [end_of(Text(f"! {words.clean(text)}", BAD), width) for text in _alerts(scene)]
    return lines


def clock(scene: Scene) -> str:
    """Return the simulated time by the site's clock."""
    return words.site_clock(scene.snapshot.time_ms, scene.status.timezone).isoformat(sep=" ")


def progress(scene: Scene, width: int) -> Text:
    """Return the bar of a backfill, or of a run that has an end, with the time left."""
    status, glyphs = scene.status, scene.glyphs
    first, end, left_s = 0, status.ticks or 0, scene.rates.left_s()
    if status.is_backfilling and status.backfill is not None:
        first, end, left_s = status.backfill.first, status.backfill.due, status.backfill.left_s
    part = min((status.tick - first) / max(end - first, 1), 1.0)
    if status.state == "ended":
        left = f"in {words.duration(status.elapsed_s)}"
    else:
        left = "" if left_s is None else f"{words.duration(left_s)} left"
    # 99.95 % is not yet 100 %.
    percent = f"{int(part * 1000) / 10:.1f} %"
    text = f" {percent:>7}  {left:>16}"
    size = max(width - len(text), 0)
    done = int(part * size)
    line = Text(glyphs.done * done, no_wrap=True)
    line.append(glyphs.rest * (size - done), QUIET)
    line.append(text)
    return line


def _speed(status: RunStatus) -> str:
    if status.is_backfilling and status.backfill is not None:
        return f"backfill, {status.backfill.speed:,.0f}x"
    return words.speed(status.speed)


def _counts(scene: Scene) -> Iterator[str]:
    status = scene.status
    most = len(f"{status.devices:,}")
    yield f"{scene.snapshot.online:>{most},} of {status.devices:,} online"
    if status.transports:
        per_second = sum(scene.rates.delivered(one.name) for one in status.transports)
        rate = words.rate(per_second)
        yield f"{rate:>{scene.widths.of('rate', [rate], 3)}} readings/s"
    tick = f"{status.tick:,}"
    of = "" if status.ticks is None else f" of {status.ticks:,}"
    yield f"tick {tick:>{scene.widths.of('tick', [tick, of[4:]])}}{of}"


def _lag(scene: Scene) -> Text:
    """Return the lag of the ticks, or their rate where no rate is promised."""
    status = scene.status
    if not status.wake_s:
        rate = words.rate(scene.rates.ticks())
        return Text(f"{rate:>{scene.widths.of('ticks', [rate], 5)}} ticks/s", no_wrap=True)
    if status.state == "running" and status.behind_s > status.wake_s:
        return Text(f"BEHIND {words.delay(status.behind_s)}", BAD)
    lag = words.delay(status.lag.quantile(0.5))
    return Text(f"lag {lag:>{scene.widths.of('lag', [lag], 7)}}", no_wrap=True)


def _alerts(scene: Scene) -> Iterator[str]:
    status = scene.status
    if status.error:
        yield status.error
    if status.holding_up:
        yield f"{status.holding_up} blocks the run"
    for failure in status.failures[:2]:
        yield f"{failure.fleet}: {failure.effect}: {failure.reason}"
    if status.ledger is not None and status.ledger.error:
        yield f"the ledger is incomplete: {status.ledger.error}"
