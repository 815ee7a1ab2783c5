"""Commands that are rejected, and the limits of those that wait."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import Target, read_instruction
from gridsim.simulation.commands import book
from tests.unit.commands.stepped import BAT, BAT2, HOME, PV, ROOF, Run, body, request


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"[1, 2]", "must be one JSON object"),
        (b'{"id": "c-1", "command": "set_power", "value": NaN}', "is not JSON"),
        (b"[" * 8000, "is not JSON"),
        (b" " * 8193, "oversize"),
        (b'{"id": "c-1", "command": "set_power", "value": 1e999}', "'value'|JSON"),
        (b'{"id": "c-1", "command": "set_power", "value": ' + b"9" * 5000 + b"}", "'value'|JSON"),
        (body(id=...), "'id' is missing"),
        (body(id=""), "1 to 128 printable"),
        (body(id="x" * 129), "1 to 128 printable"),
        (body(id="a\nb"), "1 to 128 printable"),
        (body(id=7), "1 to 128 printable"),
        (body(command=...), "'command' is missing: write one of set_power"),
        (body(command="set_powr"), "did you mean 'set_power'"),
        (body(command=3), "must be one of set_power"),
        (body(duration=5), "'duration' is not a key of a command; did you mean 'duration_s'"),
        (body(value=...), "'value' is missing: set_power needs a number in kW"),
        (body(value=True), "'value' must be a number in kW"),
        (body(value="1"), "'value' must be a number in kW"),
        (body(unit="W"), '\'unit\' of set_power must be "kW" or "%"'),
        (body(unit=[]), '\'unit\' of set_power must be "kW" or "%"'),
        (body(value=5.01), r"5.01 kW, but set_power takes -5 to 5 kW, its nameplate"),
        (body(value=-101, unit="%"), r"-101 %, but set_power takes -100 to 100 %"),
        (body(command="limit_power", value=-1), "takes 0 to 100 %"),
        (body(command="limit_power", unit="kW", value=6), "takes 0 to 5 kW"),
        (body(command="limit_export", value=-0.5), "takes 0 to 5 kW"),
        (body(command="target_soc", value=100.5), "takes 0 to 100 %"),
        (body(command="connect"), "connect takes no 'value'"),
        (body(command="disconnect", value=..., unit="kW"), "disconnect takes no 'unit'"),
        (body(duration_s=-1), "'duration_s' must be"),
        (body(duration_s=0), "'duration_s' must be"),
        (body(duration_s=1e30), "'duration_s' must be"),
        (body(ramp_s=-1), "'ramp_s' must be"),
        (body(ramp_s="1"), "'ramp_s' must be"),
        (body(command="target_soc", value=50, ramp_s=5), "target_soc takes no 'ramp_s'"),
        (body(start="2026-07-01T12:00:00"), "a time with its offset"),
        (body(start="2026-02-30T12:00:00Z"), "a time with its offset"),
        (body(start="0001-01-01T00:00:00+23:59"), "from 1970|a time"),
        (body(start=1751371200), "a time with its offset"),
        (body(start="2026-07-01T11:00:00Z", duration_s=60), "it would have ended already"),
    ],
)
def test_it_is_rejected_with_a_reason(run: Run, payload: bytes, reason: str) -> None:
    run.tick()
    quiet = run.resumed()
    text = run.refused(BAT, payload)
    assert re.search(reason, text), text
    quiet.tick()
    run.tick()
    quiet.tick()
    assert run.power == quiet.power


@pytest.mark.parametrize(
    ("target", "payload", "reason"),
    [
        (Target("NOWHERE"), body(), "no such project"),
        (Target("HOME", "NOBODY"), body(), "no such DER"),
        (Target("ROOF", "BAT"), body(), "not in this project but in HOME"),
        (PV, body(command="target_soc", value=50), "PV has no storage"),
        (ROOF, body(command="target_soc", value=50), "ROOF has no storage"),
    ],
)
def test_a_target_that_cannot_is_rejected(
    run: Run, target: Target, payload: bytes, reason: str
) -> None:
    run.tick()
    assert reason in run.refused(target, payload)


def test_before_the_first_tick_nobody_knows_who_has_storage(run: Run) -> None:
    run.tick(request(PV, "target_soc", 50), request(BAT, "target_soc", 60))
    assert run.told == []
    run.tick()
    assert [(str(one.target), one.status) for one in run.told] == [
        ("HOME/PV", "rejected"),
        ("HOME/BAT", "accepted"),
    ]


def test_an_id_is_used_once_for_each_target(run: Run) -> None:
    run.tick(
        read_instruction(body(), BAT), read_instruction(body(), BAT), read_instruction(body(), BAT2)
    )
    assert [one.status for one in run.told] == ["accepted", "rejected", "accepted"]
    assert "used before" in run.told[1].reason
    # What was rejected has not used its id.
    run.tick(
        read_instruction(body(id="c-2", value=50), BAT),
        read_instruction(body(id="c-2", value=5), BAT),
    )
    assert [one.status for one in run.told[3:5]] == ["rejected", "accepted"]


def test_no_more_wait_than_there_is_room_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "MAX_WAITING", 2)
    later = "2026-07-01T13:00:00Z"
    run.tick(*(request(BAT, "set_power", n, start=later) for n in range(3)))
    assert [one.status for one in run.told] == ["accepted", "accepted", "rejected"]
    assert "too many commands are waiting" in run.told[-1].reason


def test_bytes_of_any_kind_disturb_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.tick()
    keys = st.sampled_from(["id", "command", "value", "unit", "start", "duration_s", "ramp_s", "x"])
    odd = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )
    values = odd | st.sampled_from(["set_power", "target_soc", "%", "2026-07-01T12:00:00Z"])
    tables = st.dictionaries(keys, values).map(lambda table: json.dumps(table).encode())

    @given(
        payload=st.binary(max_size=200) | tables,
        target=st.sampled_from([BAT, PV, HOME, ROOF, Target("", ""), Target("X", "\0")]),
    )
    def feed(payload: bytes, target: Target) -> None:
        fed = run.resumed()
        told = fed.tick(read_instruction(payload, target)).acknowledgements
        assert len(told) >= 1
        assert told[0].status in ("accepted", "rejected")
        assert (told[0].reason == "") == (told[0].status == "accepted")
        assert told[0].reason.isascii()
        if told[0].status == "rejected":
            other = run.resumed()
            other.tick()
            fed.tick()
            other.tick()
            assert fed.power == other.power

    feed()


def test_a_ghost_obeys_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, end='[[faults]]\ntype = "ghost"\nders = ["PV2"]\n')
    ghost = Target("ROOF", "PV2")
    limit = b'{"id": "c", "command": "limit_power", "value": 0}'
    assert run.refused(ghost, limit) == "the DER does not answer"
    assert run.refused(ROOF, limit) == "ROOF has no DER that answers"


def test_one_target_has_a_part_of_the_commands_that_wait(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "MAX_WAITING_EACH", 2)
    run.tick(*(request(BAT, "set_power", n, start="2199-01-01T00:00:00Z") for n in range(3)))
    assert [one.status for one in run.told] == ["accepted", "accepted", "rejected"]
    assert run.told[-1].reason == (
        "2 commands to HOME/BAT wait for their start, the most allowed: send this one later"
    )
    # Another target has room, and what begins at once needs none.
    run.tick(request(HOME, "set_power", 1, start="2199-01-01T00:00:00Z"))
    assert run.told[-1].status == "accepted"
    run.tick(request(BAT, "set_power", 3))
    assert run.told[-1].status == "accepted"
