"""The log of a run says which commands were applied."""

from __future__ import annotations

from gridsim.api import Acknowledgement, Command, Target
from gridsim.text.commands import CommandLog

DER = Target("HOME", "BAT")


def told(id: str, status: str = "accepted", reason: str = "") -> Acknowledgement:
    return Acknowledgement(DER, id, status, reason, 0, 0, "mqtt", "set_power")  # type: ignore[arg-type]


def test_each_command_has_a_line() -> None:
    log = CommandLog()
    command = Command(DER, "c-1", "set_power", -3.0, duration_s=600)
    assert list(log.lines([command], [told("c-1")], 0.0)) == [
        "set_power -3 kW for 600 s (c-1) to HOME/BAT: accepted"
    ]
    # Its end comes in a later tick.
    assert list(log.lines([], [told("c-1", "completed")], 1.0)) == [
        "set_power (c-1) to HOME/BAT: completed"
    ]
    assert list(log.lines([], [told("c\n2", "rejected", "a\x1bb")], 2.0)) == [
        "set_power (c\\n2) to HOME/BAT: rejected: a\\x1bb"
    ]


def test_many_commands_are_counted() -> None:
    log = CommandLog()
    assert len(list(log.lines([], [told(f"c-{n}") for n in range(1_000)], 0.0))) == 20
    assert list(log.lines([], [told("x")], 9.9)) == []
    assert list(log.lines([], [told("y")], 10.0)) == [
        "981 more instructions: set_power accepted",
        "set_power (y) to HOME/BAT: accepted",
    ]
    assert list(log.rest()) == []
