"""The picture of the view `terminal`, from fixed snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.text import Text

from gridsim.api import BackfillStatus, Floats, Roster, SourceStatus, TransportStatus
from gridsim.contracts.results import FleetFailure
from gridsim_plugins.views.terminal.layout import compose
from gridsim_plugins.views.terminal.picture import Scenes
from gridsim_plugins.views.terminal.theme import ASCII, BAD, UNICODE, Glyphs
from tests.fixtures import snapshots

NAN = float("nan")
TYPES = ("battery_storage", "solar")
KW = {"battery_storage": -4.2, "solar": 21.304}


def past(projects: NDArray[np.intp]) -> Floats:
    """Return a rising reduction for each project."""
    return np.tile(np.linspace(0.0, 3.0, 60), (len(projects), 1))


def picture(
    roster: Roster,
    width: int = 80,
    height: int = 24,
    *,
    kw: Mapping[str, float] = KW,
    glyphs: Glyphs = UNICODE,
    changes: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> list[Text]:
    """Return the picture of a run that has delivered 6 readings a second."""
    status = snapshots.status(roster, **(changes or {}))
    scenes = Scenes(roster, glyphs)
    history = snapshots.history(
        status, {kind: np.linspace(0, v, 7).tolist() for kind, v in kw.items()}
    )
    before = snapshots.status(
        roster, tick=85, transports=[TransportStatus("mqtt", "up", delivered=510)]
    )
    scenes.next(snapshots.snapshot(roster, before, kw), history, past, 95.0)
    shown = snapshots.snapshot(roster, status, kw, **kwargs)
    lines = compose(scenes.next(shown, history, past, 100.0), width, height)
    # The last column and the last line stay free.
    assert len(lines) < height
    assert all(line.cell_len < width and "\n" not in line.plain for line in lines)
    return lines


def text(lines: Sequence[Text]) -> list[str]:
    return [line.plain.rstrip() for line in lines]


@pytest.fixture(scope="module")
def homes() -> Roster:
    return snapshots.roster(["HOME_1", "HOME_2", "HOME_3"], TYPES, standalone=1)


def test_a_picture_of_80_columns(homes: Roster) -> None:
    lines = picture(
        homes,
        changes={"ticks": 3600},
        targets=[3.0, 2.0, NAN],
        delivered=[1.2, 2.0, 0.0],
        violating=[0],
        soc=[20.0, NAN, 98.25],
        entries=[snapshots.entry(1, "event", "noon begins: 2 projects")],
    )
    assert text(lines) == [
        " RUNNING    2026-07-14 12:00:00-03:00   real time                   lag  0.3 ms",
        "6 of 6 online   6.0 readings/s   tick    90 of 3,600                    seed 42",
        "━────────────────────────────────────────────────────   2.5 %  58 min 30 s left",
        "Power, kW ──────────────────────────────────────────────────────────── last 6 s",
        "■ battery_storage      -4.20                                            ▁▇▆▄▃▂▁",
        "■ solar               +21.30                                            ▁▁▂▄▅▆▇",
        "  load                 +9.00                                            ▇▇▇▇▇▇▇",
        "  net                  -8.10                                            ▁▁▇▅▄▂▁",
        "State of charge, %   min  20.0   median  59.1   max  98.2   0   ▇      ▇ 100",
        "",
        "Contracts, kW   contract     target  delivered  of target ─────────────────────",
        "HOME_1             +2.00      +3.00      +1.20     40.0 %  VIOLATION  1x",
        "HOME_2             +2.00      +2.00      +2.00    100.0 %  met",
        "all 2              +4.00      +5.00      +3.20     64.0 %  1 in violation",
        "",
        "Transports         readings/s   queue  confirmed  dropped       p50       p99 ─",
        "mqtt       up             6.0       0        540        0         -         -",
        "",
        "Events, faults, commands ──────────────────────────────────────────────────────",
        "12:00:01  event    noon begins: 2 projects",
    ]


def test_a_backfill_has_a_bar_and_its_speed(homes: Roster) -> None:
    past = BackfillStatus(first=0, due=3600, speed=8300.4, left_s=62.0, took_s=9.0)
    lines = text(picture(homes, changes={"backfill": past, "speed": 0.0, "wake_s": 0.0}))
    assert lines[0].startswith(" RUNNING    2026-07-14 12:00:00-03:00   backfill, 8,300x")
    assert lines[2].endswith("  2.5 %   1 min 02 s left")
    over = BackfillStatus(0, 60, 60, 8300.4)
    lines = text(picture(homes, changes={"backfill": over}))
    assert "backfill" not in lines[0]
    assert lines[2].startswith("Power, kW")


def test_a_narrow_picture_leaves_out_the_contract_and_the_delays(homes: Roster) -> None:
    lines = text(picture(homes, 60, 20, targets=[3.0, NAN, NAN], delivered=[3.0, 0.0, 0.0]))
    assert lines[0] == " RUNNING    2026-07-14 12:00:00-03:00   real time"
    assert "Contracts, kW     target  delivered  of target ────────────" in lines
    assert "HOME_1             +3.00      +3.00    100.0 %  met" in lines
    assert "HOME_2                 -          -          -  not called" in lines
    assert "Transports         readings/s   queue  confirmed  dropped ─" in lines


def test_a_wide_picture_has_two_columns(homes: Roster) -> None:
    lines = text(picture(homes, 200, 50, targets=[3.0, NAN, NAN], delivered=[3.0, 0.0, 0.0]))
    assert lines[0].endswith("seed 42   lag  0.3 ms")
    assert "6 of 6 online   6.0 readings/s   tick 90" in lines[0]
    left, right = lines[3][:97], lines[3][97:]
    assert left == f"■ battery_storage      -4.20{'▁▇▆▄▃▂▁':>69}"
    assert right == (
        "    HOME_1             +2.00      +3.00      +3.00    100.0 %  met           "
        "▄▄▄▅▅▅▅▅▅▅▅▅▆▆▆▆▆▆▆▆▇▇▇▇▇"
    )


def test_a_run_without_storage_contracts_transports_and_events() -> None:
    roster = snapshots.roster(["HOME"], ["solar"], standalone=1)
    lines = text(picture(roster, kw={"solar": 0.0}, changes={"transports": ()}))
    assert lines == [
        " RUNNING    2026-07-14 12:00:00-03:00   real time                   lag  0.3 ms",
        "1 of 1 online   tick 90                                                 seed 42",
        "Power, kW ──────────────────────────────────────────────────────────── last 6 s",
        "■ solar         +0.00                                                   ▁▁▁▁▁▁▁",
        "  load          +3.00                                                   ▇▇▇▇▇▇▇",
        "  net           +3.00                                                   ▇▇▇▇▇▇▇",
        "",
        "Events, faults, commands ──────────────────────────────────────────────────────",
        "none yet",
    ]


def test_a_target_is_met_to_10_w() -> None:
    delivered = [0.99, 1.0 - 1e-9, 0.1 + 0.2 + 0.7, 1.01]
    roster = snapshots.roster([f"HOME_{n}" for n in range(4)], ["battery_storage"])
    lines = text(
        picture(
            roster,
            kw={"battery_storage": 1.0},
            targets=[1.0] * 4,
            delivered=delivered,
            soc=[50.0] * 4,
        )
    )
    rows = [line for line in lines if line.startswith("HOME_")]
    assert [row.split()[-1] for row in rows] == ["below", "met", "met", "met"]


def test_violations_come_first_among_ten_thousand_projects() -> None:
    count = 10_000
    roster = snapshots.roster([f"HOME_{n:05}" for n in range(count)], ["battery_storage"])
    targets = np.full(count, NAN)
    targets[[7000, 9998]] = 2.0
    lines = text(
        picture(
            roster,
            kw={"battery_storage": 1.0},
            targets=targets.tolist(),
            delivered=[1.0] * count,
            violating=[9998],
            soc=[50.0] * count,
        )
    )
    top = next(n for n, line in enumerate(lines) if line.startswith("Contracts"))
    assert lines[top + 1].startswith("HOME_09998 ")
    assert lines[top + 1].endswith("50.0 %  VIOLATION  1x")
    assert lines[top + 2].startswith("HOME_07000 ")
    assert lines[top + 2].endswith("50.0 %  below")
    assert lines[top + 3].startswith("HOME_00000 ")
    [total] = [line for line in lines if line.startswith("all 10,000")]
    values = f"{'+20,000.00':>11}{'+4.00':>11}{'+2.00':>11}{'50.0 %':>11}"
    assert total == f"{'all 10,000':<13}{values}  1 in violation"


def test_foreign_text_reaches_the_terminal_without_control_characters() -> None:
    evil = "\x1b[2Jgone\x1b]0;title\x07 \u202ereversed\r\n" + "x" * 300
    roster = snapshots.roster([f"P\x1b[31m{evil}"], [f"kind\x9b{evil}"])
    lines = picture(
        roster,
        80,
        40,
        kw={f"kind\x9b{evil}": 1.0},
        changes={
            "transports": (TransportStatus("m\x1bq", "reconnecting", error=evil, unconfirmed=1),),
            "sources": (SourceStatus("s\x07", "up", error=evil, posted=1, refused=2),),
            "error": evil,
            "holding_up": evil,
            "failures": (FleetFailure("ice\x1b", 2, 3, evil),),
        },
        entries=[snapshots.entry(1, "failure", evil)],
    )
    assert all(character.isprintable() for line in lines for character in line.plain)
    shown = "\n".join(text(lines))
    assert "  last error: \\x1b[2Jgone\\x1b]0;title\\x07 \\u202ereversed\\r\\nxxx" in shown
    assert "12:00:01  failure  \\x1b[2Jgone" in shown
    assert "! ice\\x1b: 2 DERs disabled: \\x1b[2Jgone" in shown
    assert "m\\x1bq       reconnecting" in shown
    assert "  1 command in, 0 acknowledged, 2 refused" in shown


def test_red_is_for_what_is_wrong(homes: Roster) -> None:
    def is_red(lines: Sequence[Text]) -> bool:
        return any(span.style == BAD for line in lines for span in line.spans) or any(
            line.style == BAD for line in lines
        )

    assert not is_red(picture(homes))
    lost = TransportStatus("mqtt", "up", dropped={"queue full": 12}, accepted=12)
    lines = picture(homes, changes={"transports": (lost,)})
    assert is_red(lines)
    assert "  dropped: 12 queue full" in text(lines)
    late = picture(homes, changes={"behind_s": 3.21})
    assert is_red(late)
    assert text(late)[0].endswith("BEHIND 3.2 s")


@pytest.mark.parametrize(
    ("changes", "state", "bar"),
    [
        ({"tick": 3599, "ticks": 3600}, " RUNNING ", "99.9 %          1 s left"),
        ({"tick": 3600, "ticks": 3600, "state": "ended"}, " ENDED ", "100.0 %     in 1 min 30 s"),
        ({"tick": 0, "ticks": 3600, "state": "paused"}, " PAUSED ", "0.0 %"),
    ],
)
def test_the_progress_of_a_run(
    homes: Roster, changes: dict[str, Any], state: str, bar: str
) -> None:
    lines = text(picture(homes, changes=changes))
    assert lines[0].startswith(state)
    assert lines[2].endswith(bar)


def test_the_time_left_follows_from_the_measured_rate_at_speed_0(homes: Roster) -> None:
    lines = text(picture(homes, changes={"ticks": 3600, "speed": 0.0, "wake_s": 0.0}))
    assert lines[0].endswith("as fast as possible         1.0 ticks/s")
    # 5 ticks in 5 s, so 3,510 more take as many seconds.
    assert lines[2].endswith("2.5 %  58 min 30 s left")


@pytest.mark.parametrize(("columns", "rows"), [(59, 24), (80, 15), (20, 5), (1, 1)])
def test_a_window_that_became_too_small_shows_two_lines_at_most(
    homes: Roster, columns: int, rows: int
) -> None:
    assert len(picture(homes, columns, rows)) <= 2


def test_every_size_from_the_smallest_is_filled_without_overflow(homes: Roster) -> None:
    entries = [snapshots.entry(n, "fault", f"fault {n} begins") for n in range(200)]
    for columns in (60, 75, 100, 149, 151, 250):
        for rows in (16, 20, 24, 33, 60):
            lines = text(picture(homes, columns, rows, entries=entries, soc=[50.0]))
            assert lines[-1].endswith("fault    199 begins") or rows == 16 or columns > 150
            assert any("fault    199 begins" in line for line in lines) or rows == 16


def test_a_terminal_without_unicode_gets_ascii(homes: Roster) -> None:
    lines = picture(homes, glyphs=ASCII, changes={"ticks": 3600}, soc=[50.0])
    assert all(line.plain.isascii() for line in lines)
