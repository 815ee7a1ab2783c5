"""Formats around formats: what they change, and that they hide nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from gridsim.api import Batch, Format, Labels, MessageEffects, MessageFault, Payloads, Tick
from gridsim.delivery import Alteration, Alterations, AlteringFormat, TimedFormat
from gridsim.errors import PluginError
from gridsim.testing import make_batch, make_roster

ROSTER = make_roster((4, 2))
ROWS = len(ROSTER)

MEMBERS = sorted(name for name in dir(Format) if not name.startswith("_"))
"""The contract's public members that the class has; the constructor sets further ones."""
ENCODING = {"encode", "encode_parts"}


class Text(Format):
    """A payload for each project, which names its rows."""

    is_json = True
    header = b"the header"

    def encode(self, batch: Batch) -> Payloads:
        starts = batch.groups()
        bodies = [
            b"rows %d to %d" % (batch.number + a, batch.number + b) for a, b in pairwise(starts)
        ]
        return Payloads(bodies, starts)


def test_a_format_is_named_while_it_encodes() -> None:
    busy: list[str] = []

    class Watched(Text):
        def encode(self, batch: Batch) -> Payloads:
            busy.append(named.busy_with)
            return super().encode(batch)

    named: TimedFormat = TimedFormat("slow", Watched(Text.Settings(), "project", ROSTER))
    named.encode(make_batch(ROSTER))
    list(named.encode_parts(make_batch(ROSTER)))
    assert busy == ["the format 'slow'"] * 2
    assert named.busy_with == ""


class OwnParts(Text):
    """One that cuts its parts itself."""

    further = "an attribute that no contract knows"

    def encode_parts(self, batch: Batch, rows: int = 2) -> Iterator[tuple[Batch, Payloads]]:
        for start in range(0, len(batch), rows):
            part = batch.rows(start, start + rows)
            groups = part.groups()
            yield part, Payloads([b"part of %d" % len(part)] * (len(groups) - 1), groups)


class Append(MessageFault):
    """Appends its settings, a mark, and the chance."""

    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        raise NotImplementedError

    @classmethod
    def alter(cls, settings: bytes, body: bytes, chance: float) -> bytes:
        return body + settings + b"%.1f" % chance


def timed(format: Format) -> Format:
    return TimedFormat("text", format)


def altering(format: Format) -> Format:
    third, fifth = Alteration("third", Append, b"/3:"), Alteration("fifth", Append, b"/5:")
    faults = Alterations([(3, third)])
    altering = AlteringFormat(format, faults)
    # A fault that is injected later.
    faults.add(5, fifth)
    return altering


def both(format: Format) -> Format:
    return timed(altering(format))


DECORATORS = [timed, altering, both]


def labelled(altered: list[int]) -> Batch:
    batch = make_batch(ROSTER)
    labels = Labels(
        faults=np.zeros(ROWS, np.uint64),
        timestamp_ms=batch.timestamp_ms,
        current_output=batch.current_output,
        power_meter_measurement=batch.power_meter_measurement,
        current_soc=batch.current_soc,
        altered=np.array(altered, np.int16),
        chance=np.arange(ROWS) / 10,
        copy=np.zeros(ROWS, np.bool_),
    )
    return replace(batch, labels=labels)


@pytest.mark.parametrize("decorate", DECORATORS)
@pytest.mark.parametrize("name", sorted({*MEMBERS, "settings", "framing", "roster"} - ENCODING))
def test_every_member_of_the_contract_is_that_of_the_format(
    decorate: Callable[[Format], Format], name: str
) -> None:
    format = OwnParts(object(), "project", ROSTER)
    # On the object, too, where a format may set what its settings say.
    value = object()
    # A method is bound anew at each access.
    assert getattr(decorate(format), name) == getattr(format, name)
    setattr(format, name, value)
    assert getattr(decorate(format), name) is value


@pytest.mark.parametrize("decorate", DECORATORS)
def test_what_the_contract_does_not_know_is_found(decorate: Callable[[Format], Any]) -> None:
    format = decorate(OwnParts(None, "project", ROSTER))
    assert format.further == "an attribute that no contract knows"
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = format.nothing_of_the_kind


@pytest.mark.parametrize("decorate", DECORATORS)
def test_parts_are_cut_where_the_format_cuts_them(decorate: Callable[[Format], Format]) -> None:
    batch = make_batch(ROSTER)
    format = decorate(OwnParts(None, "project", ROSTER))
    assert [len(part) for part, _ in format.encode_parts(batch)] == [2, 2, 2]
    assert [len(part) for part, _ in format.encode_parts(batch, 4)] == [4, 2]
    assert [len(part) for part, _ in format.encode_parts(batch, rows=5)] == [5, 1]
    [whole] = decorate(Text(None, "project", ROSTER)).encode_parts(batch)
    assert len(whole[0]) == ROWS
    by_project = decorate(Text(None, "project", ROSTER)).encode_parts(batch, 1)
    assert [len(part) for part, _ in by_project] == [4, 2]


def test_a_message_of_several_altered_rows_is_altered_by_the_first() -> None:
    format = altering(Text(None, "project", ROSTER))
    bodies = format.encode(labelled([-1, 5, 3, -1, 3, 5])).bodies
    assert bodies == [b"rows 0 to 4/5:0.1", b"rows 4 to 6/3:0.4"]
    bodies = format.encode(labelled([-1, -1, 3, 5, -1, -1])).bodies
    assert bodies == [b"rows 0 to 4/3:0.2", b"rows 4 to 6"]


def test_parts_are_altered_like_the_whole() -> None:
    batch = labelled([-1, 5, 3, -1, 3, 5])
    format = altering(Text(None, "project", ROSTER))
    parts = [body for _, payloads in format.encode_parts(batch, 1) for body in payloads.bodies]
    assert parts == list(format.encode(batch).bodies)
    cut = altering(OwnParts(None, "project", ROSTER)).encode_parts(batch)
    assert [payloads.bodies for _, payloads in cut] == [
        [b"part of 2/5:0.1"],
        [b"part of 2/3:0.2"],
        [b"part of 2/3:0.4"],
    ]


def test_without_labels_nothing_is_altered() -> None:
    batch, plain = make_batch(ROSTER), Text(None, "project", ROSTER)
    assert altering(plain).encode(batch).bodies == plain.encode(batch).bodies


def test_an_error_names_the_format_wherever_it_is_raised() -> None:
    class Broken(Text):
        def encode(self, batch: Batch) -> Payloads:
            raise ZeroDivisionError("a defect")

    class BrokenParts(Text):
        def encode_parts(
            self, batch: Batch, rows: int = 16_384
        ) -> Iterator[tuple[Batch, Payloads]]:
            yield batch.rows(0, 1), Payloads([b"one"], np.array([0, 1]))
            raise SystemExit(3)

    batch = make_batch(ROSTER)
    named = "the format 'text' failed: ZeroDivisionError: a defect"
    broken = timed(Broken(None, "project", ROSTER))
    with pytest.raises(PluginError, match=named):
        broken.encode(batch)
    with pytest.raises(PluginError, match=named):
        next(broken.encode_parts(batch))
    parts = timed(BrokenParts(None, "project", ROSTER)).encode_parts(batch)
    assert next(parts)[1].bodies == [b"one"]
    with pytest.raises(PluginError, match="the format 'text' failed: SystemExit: 3"):
        next(parts)


def test_the_time_of_parts_is_measured() -> None:
    format = TimedFormat("text", OwnParts(None, "project", ROSTER))
    assert format.seconds == 0.0
    parts = format.encode_parts(make_batch(ROSTER))
    next(parts)
    one = format.seconds
    assert one > 0.0
    list(parts)
    assert format.seconds > one
