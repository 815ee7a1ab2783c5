from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.config.resolve import Flags
from tests.fixtures.config.fakes import MINIMAL, NOW_MS, configure, report


@pytest.mark.parametrize(
    ("override", "host"),
    [
        ("transports.0.host=b/c d", "b/c d"),
        ('transports.0.host="1"', "1"),
        ("transports . 0 .'host' = x", "x"),
        ("transports.0={type='radio', host='y'}", "y"),
        ("transports.0.host=${H}", "h"),
    ],
)
def test_overrides_come_over_the_file(tmp_path: Path, override: str, host: str) -> None:
    made = configure(tmp_path, MINIMAL, overrides=[override], environment={"H": "h"})
    assert made.transports[0].settings.host == host


def test_a_format_without_a_type_is_the_default(tmp_path: Path) -> None:
    for override in ("transports.0.format.missing_soc=zero", "transports.0.format={}"):
        [choice] = configure(tmp_path, MINIMAL, overrides=[override]).transports
        assert choice.format_name == "json"
        assert choice.format_settings.missing_soc == ("zero" if "zero" in override else "null")


def test_overrides_make_the_tables_that_are_missing_and_the_last_one_holds(tmp_path: Path) -> None:
    overrides = ["simulation.seed=1", "simulation.seed=7"]
    assert configure(tmp_path, MINIMAL, overrides=overrides).simulation.seed == 7


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("transports.0.retries=10", "'retries' must be at most 9"),
        ("simulatoin.seed=1", "did you mean 'simulation'?"),
        ("transports.1.host=a", "transports has no entry 1: the last is transports.0"),
        ("transports.x.host=a", "transports is an array"),
        ("projects.0.id.x=1", "projects.0.id is neither a table nor an array"),
        ("simulation.seed=1" + "0" * 5000, "'seed' must be a whole number"),
        ("simulation.seed=1" + "0" * 50, "of more than 64 bits"),
        ("site.timezone=../../etc/passwd", "'timezone' must be the name of a time zone"),
        ("transports.0.host=b\udcff", "is not UTF-8"),
        ("seed", "is written KEY=VALUE"),
        ("a b=1", "is not a valid key"),
        ("site.latitude=[1", "has a value that is not valid TOML"),
        ("a" + ".a" * 40 + "=1", "is not a valid key"),
        ("site.latitude=" + "[" * 40, "is nested too deeply"),
        ("site.latitude=1\nx=2", "'latitude' must be a number"),
    ],
)
def test_overrides_name_themselves_when_they_are_wrong(
    tmp_path: Path, override: str, message: str
) -> None:
    found = report(tmp_path, MINIMAL, overrides=[override])
    assert found.startswith(f"--set {override}: error: ")
    assert message in found


def test_flags_come_over_file_and_overrides(tmp_path: Path) -> None:
    text = "[simulation]\nstart = 1\nseed = 1\n" + MINIMAL
    flags = Flags(seed=9, speed=0, start="2026-07-01T00:00:00.5-03:00")
    made = configure(tmp_path, text, overrides=["simulation.seed=3"], flags=flags)
    assert (made.simulation.seed, made.simulation.speed) == (9, 0.0)
    assert made.start_ms == made.scenario.start_ms == 1_782_874_800_500


def test_now_is_the_present(tmp_path: Path) -> None:
    assert configure(tmp_path, MINIMAL).start_ms == NOW_MS


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (Flags(start="today"), "--start: error: 'start' must be"),
        (Flags(seed=-1), "--seed: error: 'seed' must be at least 0"),
        (Flags(seed=10**4000), "--seed: error: 'seed' must be at most 9223372036854775807"),
        (Flags(speed=-1), "--speed: error: 'speed' must be at least 0"),
        (Flags(speed=float("nan")), "--speed: error: 'speed' must be"),
        (Flags(speed=1e-9), "--speed: error: 'speed' must be 0 or at least 0.001"),
    ],
)
def test_flags_name_themselves_when_they_are_wrong(
    tmp_path: Path, flags: Flags, message: str
) -> None:
    assert report(tmp_path, MINIMAL, flags=flags).startswith(message)
