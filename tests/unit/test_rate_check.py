"""The check before the first tick that a run will hold its rate."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.api import Shard
from gridsim.config.resolve import Flags
from gridsim.contracts.speed import MAX_SPEED
from gridsim.errors import NotHeldError
from gridsim.running import rate_check
from gridsim.running.plan import Options, Plan, make_plan
from gridsim.running.rate_check import check_rate, expectation
from gridsim.running.run import Run
from tests.fixtures.runs import HEAD, HOMES

FILE = 'type = "file"\npath = "{shard}.jsonl"'
HALF = Shard(1, 3)


def planned(folder: Path, tables: str = "", *, shard: Shard | None = HALF, speed: float) -> Plan:
    content = f"[execution]\n{tables}\n{HEAD}{HOMES}".replace('type = "stdout"', FILE)
    flags = Flags(speed=speed)
    return make_plan(Options(folder / "x.toml", "30s", flags, content=content, shard=shard))


def test_a_shard_that_will_not_hold_its_rate_does_not_begin(tmp_path: Path) -> None:
    run = Run(planned(tmp_path, speed=MAX_SPEED))
    with pytest.raises(NotHeldError, match="shard 1-of-3 will not hold its rate: a tick of 2"):
        run.start()
    run.stop()
    assert NotHeldError.exit_status == 4
    assert not (tmp_path / "1-of-3.jsonl").exists()


def test_a_shard_goes_on_by_choice_with_the_same_readings(tmp_path: Path) -> None:
    path = tmp_path / "1-of-3.jsonl"
    written = []
    for speed in (0.0, MAX_SPEED):
        with Run(planned(tmp_path, "on_too_slow = 'warn'", speed=speed)) as run:
            assert run.wait(20)
        assert (run.expected is not None) == bool(speed)
        written.append(path.read_bytes())
        path.unlink()
    assert run.expected is not None
    assert run.expected.tick_s > run.expected.interval_s
    assert written[0] == written[1]
    assert written[0].count(b"\n") == 6


def test_a_shard_that_holds_its_rate_begins(tmp_path: Path) -> None:
    expected = check_rate(planned(tmp_path, speed=1.0), 1.0)
    assert expected is not None
    assert expected.models_s > 0
    assert expected.encoding_s > 0
    assert expected.tick_s < expected.interval_s == 10.0
    assert (expected.measured, expected.devices) == (2, 2)


def test_a_run_in_one_process_warns_and_is_measured_only_if_it_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(tmp_path, shard=None, speed=1.0)
    assert expectation(plan, 0.0) is None
    assert expectation(plan, 1.0) is None
    assert expectation(plan, 33_333.0) is None
    expected = check_rate(plan, 33_334.0)
    assert expected is not None
    assert expected.tick_s > expected.interval_s
    monkeypatch.setattr(rate_check, "_SAMPLE", 2)
    some = expectation(plan, 33_334.0)
    assert some is not None
    assert (some.measured, some.devices) == (2, 6)
    assert "6 DERs takes" in some.line
    assert "(2 were measured)" in some.line


def test_a_plugin_that_fails_is_left_to_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("gridsim.running.rate_check.Simulation", fail)
    assert check_rate(planned(tmp_path, speed=MAX_SPEED), MAX_SPEED) is None
