"""The messages that faults alter: which fault, which messages, and what a fault may return."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from loguru import logger

from gridsim.api import (
    AffectedReadings,
    Batch,
    DeviceFault,
    Format,
    Framing,
    MessageEffects,
    MessageFault,
    Payloads,
    Settings,
    Tick,
)
from gridsim.contracts.batch import Labels
from gridsim.contracts.results import InjectedFault
from gridsim.delivery.alteration import Alteration, Alterations, AlteringFormat
from gridsim.testing import make_batch, make_roster
from gridsim_plugins.formats.template import Template, TemplateSettings

ROSTER = make_roster((3, 2))


class Named(Settings):
    name: str = "one"


class Mark(MessageFault[Named]):
    """Puts its name and chance in the place of a message."""

    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        raise AssertionError("delivery only alters")

    @classmethod
    def alter(cls, settings: Named, body: bytes, chance: float) -> bytes:
        return f"{settings.name} {chance} {body.decode()}".encode()


class Rows(Format):
    """A format whose message is the numbers of its devices."""

    def encode(self, batch: Batch) -> Payloads:
        starts = np.arange(len(batch) + 1) if self.framing == "der" else batch.groups()
        rows = np.split(batch.device, starts[1:-1])
        return Payloads(["".join(map(str, one)).encode() for one in rows], starts)


def labelled(altered: list[int]) -> Batch:
    batch = make_batch(ROSTER)
    n = len(batch)
    labels = Labels(
        faults=np.zeros(n, np.uint64),
        timestamp_ms=batch.timestamp_ms,
        current_output=batch.current_output,
        power_meter_measurement=batch.power_meter_measurement,
        current_soc=batch.current_soc,
        altered=np.array(altered, np.int32),
        chance=np.arange(n) / 10,
        copy=np.zeros(n, np.bool_),
    )
    return replace(batch, labels=labels)


def bodies(framing: Framing, altered: list[int], rows: int | None = None) -> list[bytes]:
    faults = Alterations((i, Alteration("mark", Mark, Named(name=f"f{i}"))) for i in (0, 7))
    made = AlteringFormat(Rows(None, framing, ROSTER), faults)
    if rows is None:
        return list(made.encode(labelled(altered)).bodies)
    parts = list(made.encode_parts(labelled(altered), rows))
    return [body for _, payloads in parts for body in payloads.bodies]


def test_only_the_messages_of_labelled_rows_are_altered() -> None:
    plain = [b"0", b"1", b"2", b"3", b"4"]
    assert bodies("der", [-1] * 5) == plain
    assert bodies("der", [0, -1, -1, -1, 7]) == [b"f0 0.0 0", b"1", b"2", b"3", b"f7 0.4 4"]
    assert bodies("project", [-1, -1, -1, -1, 0]) == [b"012", b"f0 0.4 34"]


@pytest.mark.parametrize(
    ("altered", "first"),
    [
        ([7, 0, 0, -1, -1], b"f7 0.0 012"),
        ([-1, 0, 7, -1, -1], b"f0 0.1 012"),
        ([-1, 7, 0, -1, -1], b"f7 0.1 012"),
        ([-1, -1, 7, -1, -1], b"f7 0.2 012"),
    ],
)
def test_the_first_labelled_row_of_a_message_chooses_the_fault(
    altered: list[int], first: bytes
) -> None:
    assert bodies("project", altered) == [first, b"34"]


def test_messages_in_parts_are_altered_like_those_of_the_whole() -> None:
    altered = [-1, 7, 0, 0, -1]
    assert bodies("der", altered, 2) == bodies("der", altered)
    assert bodies("project", altered, 1) == bodies("project", altered)


def test_of_injected_faults_those_of_messages_alter_messages() -> None:
    class Reading(DeviceFault[Named]):
        def inject(self, tick: Tick, affected: AffectedReadings) -> None:
            raise AssertionError("delivery does not change readings")

    faults = Alterations()
    settings = Named(name="late")
    faults.add_injected(InjectedFault(5, 1, "marks", "mark", Mark, settings))
    faults.add_injected(InjectedFault(6, 2, "reads", "reading", Reading, settings))
    assert faults[5] == Alteration("mark", Mark, settings)
    with pytest.raises(KeyError):
        faults[6]


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        (b"", "alter() must return non-empty bytes, not none"),
        ("text", "alter() must return non-empty bytes, not str"),
        (None, "alter() must return non-empty bytes, not NoneType"),
        (ZeroDivisionError("by 0"), "ZeroDivisionError: by 0"),
    ],
)
def test_a_fault_that_returns_no_message_is_named(returned: Any, says: str) -> None:
    class Odd(Mark):
        @classmethod
        def alter(cls, settings: Named, body: bytes, chance: float) -> bytes:
            if isinstance(returned, Exception):
                raise returned
            return returned  # type: ignore[no-any-return]

    faults = Alterations([(0, Alteration("odd", Odd, Named()))])
    lines: list[str] = []
    handler = logger.add(lines.append, format="{level} {message}", level="WARNING")
    try:
        formats = [AlteringFormat(Rows(None, "der", ROSTER), faults) for _ in range(2)]
        found = [format.encode(labelled([0, 0] + [-1] * 3)).bodies for format in formats]
    finally:
        logger.remove(handler)
    # Its messages are sent as they are, and it is named once, whatever the number of transports.
    plain = Rows(None, "der", ROSTER).encode(labelled([-1] * 5)).bodies
    assert [list(bodies) for bodies in found] == [list(plain)] * 2
    [line] = lines
    assert line.startswith(f"ERROR the fault 'odd' failed: {says}")


def test_each_message_of_a_reading_is_altered_and_none_that_is_not_there() -> None:
    batch = make_batch(make_roster((2,)))
    labels = replace(Labels.blank(batch), altered=np.array([0, 0], np.int32))
    measurands = {"p": "{seq}", "soc": "{current_soc}", "r": "{seq}"}
    made = Template(TemplateSettings(measurands=measurands), "measurand", batch.roster)
    faults = Alterations([(0, Alteration("mark", Mark, Named()))])
    found = AlteringFormat(made, faults).encode(replace(batch, labels=labels)).bodies
    assert list(found) == [
        b"one 0.0 0",
        b"one 0.0 0.0",
        b"one 0.0 0",
        b"one 0.0 0",
        b"",
        b"one 0.0 0",
    ]
