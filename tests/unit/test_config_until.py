"""`until`: a moment at which the run ends, or the present."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.config.resolve import Flags
from gridsim.errors import UsageError
from gridsim.running.plan import Options, Plan, make_plan

HOME = """
[site]
timezone = "America/Moncton"
[weather]
type = "clear"
[[projects]]
id = "HOME"
load = { type = "constant", kw = 2.5 }
[[projects.ders]]
id = "PV"
type = "generator"
nameplate_capacity = 5.0
[[transports]]
type = "stdout"
"""
PAST = "2026-07-01T00:00:00Z"


def plan(folder: Path, table: str, duration: str | None = None, **flags: str | float) -> Plan:
    path = folder / "fleet.toml"
    path.write_text(f"[simulation]\n{table}\n{HOME}")
    return make_plan(Options(config=path, duration=duration, flags=Flags(**flags)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tick_s", "until", "ticks"),
    [
        (1, "2026-07-01T00:00:01Z", 1),
        (1, "2026-07-01T01:00:00Z", 3600),
        (60, "2026-07-01T00:59:59Z", 60),
        (60, "2026-07-01T01:00:00Z", 60),
        (60, "2026-07-01T01:00:00.001Z", 61),
        # Midnight at the site.
        (900, "2026-07-01", 12),
    ],
)
def test_the_run_has_the_ticks_before_it(
    tmp_path: Path, tick_s: int, until: str, ticks: int
) -> None:
    table = f'tick_s = {tick_s}\nstart = "{PAST}"\n'
    assert plan(tmp_path, f'{table}until = "{until}"').ticks == ticks
    made = plan(tmp_path, table, until=until)
    assert (made.ticks, made.goes_live) == (ticks, False)


def test_a_year_of_local_days_has_their_hours(tmp_path: Path) -> None:
    made = plan(tmp_path, "tick_s = 3600", start="2026-03-01", until="2026-04-01")
    assert made.ticks == 31 * 24 - 1


def test_until_now_has_no_end_unless_there_is_a_duration(tmp_path: Path) -> None:
    made = plan(tmp_path, f'start = "{PAST}"', until="now")
    assert (made.ticks, made.goes_live) == (None, True)
    assert plan(tmp_path, 'until = "now"').goes_live
    long = plan(tmp_path, f'start = "{PAST}"\nduration_s = 3000000000\nuntil = "now"')
    assert (long.ticks, long.goes_live) == (3_000_000_000, True)


def test_at_speed_0_it_ends_at_the_present(tmp_path: Path) -> None:
    made = plan(tmp_path, f'start = "{PAST}"\nuntil = "now"\ntick_s = 86400', speed=0.0)
    assert made.ticks is not None
    assert made.ticks > 100
    assert not made.goes_live


def test_an_option_replaces_the_end_in_the_file(tmp_path: Path) -> None:
    table = f'start = "{PAST}"\n'
    assert plan(tmp_path, f'{table}until = "2026-07-02"', duration="5s").ticks == 5
    until = "2026-07-01T00:01:00Z"
    assert plan(tmp_path, f"{table}duration_s = 5", until=until).ticks == 60
    assert plan(tmp_path, f'{table}until = "now"', until=until).ticks == 60


@pytest.mark.parametrize(
    ("table", "duration", "flags", "said"),
    [
        (
            'duration_s = 5\nuntil = "2026-07-02"',
            None,
            {},
            "'until' and 'duration_s' both give the run an end",
        ),
        ("", "5s", {"until": "2026-07-02"}, "--duration gives the run another end"),
        ("", None, {"until": PAST}, "'until' is not after the start of the run, 2026-07-01T00:00"),
        ("", None, {"until": "2026-06-30"}, "'until' is not after the start"),
        ("", None, {"until": "soon"}, "--until: error: 'until' must be \"now\", a time such as"),
        ("", None, {"until": "2026-07-02T00:00:00"}, "has no offset from UTC"),
        (
            "",
            "1h",
            {"until": "now"},
            'is "now", and the run would end before it, at 2026-07-01T01:00:00.000Z: the '
            "duration counts from the start",
        ),
        ("", None, {"until": "now", "start": "2199-01-01"}, "would start after it, at 2199-01-01"),
        ("", None, {"until": "now", "start": "now", "speed": 0.0}, "'until' is not after"),
        ("duration_s = 60", None, {"until": "now", "speed": 0.0}, "both give the run an end"),
        ("", None, {"until": "now", "epoch": "2026-07-02"}, "'epoch' must be \"start\" if 'until'"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, table: str, duration: str | None, flags: dict[str, str | float], said: str
) -> None:
    with pytest.raises(UsageError) as error:
        plan(tmp_path, table, duration, **{"start": PAST, **flags})
    assert said in str(error.value)
