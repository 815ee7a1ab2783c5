"""The trace of transports and sources of third parties, and its cost while nobody looks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import (
    TracedMessage,
)
from gridsim.delivery import MessageTrace
from gridsim.delivery.sent import SentMessages
from gridsim.running.control import RunControl
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from gridsim.sources.exchange import Exchange
from tests.unit.sources.wires import until
from tests.unit.trace.traced import FIRST, ROSTER

PLUGINS = '''
from gridsim.api import (
    Command, Receipt, Settings, Source, Target, Transport, View, hookimpl, read_instruction
)

class Tape(Transport[Settings]):
    def describe(self): return "a tape"
    def connect(self): pass
    def close(self): pass
    def write(self, batch, receipt):
        self.format.encode(batch)
        receipt.delivered(len(batch) - 1)
        receipt.dropped(1, "the tape is short")

class Own(Tape):
    """A transport that does not use its format."""
    def write(self, batch, receipt):
        receipt.unconfirmed(len(batch))

class Box(Source[Settings]):
    def describe(self): return "a box"
    def connect(self): self.given = False
    def close(self): pass
    def serve(self, inbox, timeout_s):
        if not self.given:
            self.given = True
            b = Target("HOME", "B")
            inbox.post(read_instruction(b'{"command": "disconnect",  "id": "c-1"}', b))
            inbox.post(Command(b, "c-2", "set_power", 1.0))
            inbox.post(read_instruction(b"\\xff no JSON", Target("HOME")))
            inbox.post(read_instruction(b'{"id": "c-3"}', Target("HOME", "A")))
    def acknowledge(self, acknowledgements):
        return {n: "no room" for n, one in enumerate(acknowledgements) if one.id == "c-2"}

class Window(View[Settings]):
    def start(self, control): pass
    def show(self, snapshot): pass
    def close(self): pass

@hookimpl
def gridsim_register(register):
    register.transport("tape", Tape)
    register.transport("own", Own)
    register.source("box", Box)
    register.view("window", Window)
'''

CONFIG = """
[simulation]
plugins = ["./third_party.py"]
speed = 0
start = 2026-07-01T12:00:00Z

[[projects]]
id = "HOME"
load = { type = "constant", kw = 1.0 }
[[projects.ders]]
id = "A"
type = "generator"
nameplate_capacity = 5.0
[[projects.ders]]
id = "B"
type = "generator"
nameplate_capacity = 5.0

[[transports]]
type = "tape"
framing = "FRAMING"
[[transports]]
type = "own"
[[sources]]
type = "box"
[[views]]
type = "window"
"""


@contextmanager
def watching(folder: Path, framing: str) -> Iterator[tuple[Run, RunControl]]:
    (folder / "third_party.py").write_text(PLUGINS)
    path = folder / "c.toml"
    path.write_text(CONFIG.replace("FRAMING", framing))
    run = Run(make_plan(Options(config=path)), clock="manual")
    assert run._viewing.monitor is not None
    control = RunControl(run, run._viewing.monitor)
    control.watch("B")
    with run:
        yield run, control


def of(messages: Sequence[TracedMessage], channel: str, direction: str) -> list[TracedMessage]:
    return [one for one in messages if (one.channel, one.direction) == (channel, direction)]


@pytest.mark.parametrize("framing", ["der", "project"])
def test_third_party_transports_and_sources_are_traced_without_doing_anything(
    tmp_path: Path, framing: str
) -> None:
    with watching(tmp_path, framing) as (run, control):
        until(lambda: run.status().sources[0].posted == 4)
        run.advance(2)
        run.stop()
        messages = control.watch("B").messages
    tape, own = of(messages, "tape", "out"), of(messages, "own", "out")
    assert [one.fate for one in tape] == ["dropped: the tape is short"] * 2
    assert [(one.fate, one.payload, one.size) for one in own] == [("unconfirmed", b"", 0)] * 2
    for one in tape:
        reading = json.loads(one.payload)
        ids = [reading["der_id"]] if framing == "der" else [each["der_id"] for each in reading]
        assert ids == (["B"] if framing == "der" else ["A", "B"])
        assert (one.topic, one.qos, one.size, one.start) == ("", None, len(one.payload), 0)
    came = of(messages, "box", "in")
    assert [one.fate.partition(":")[0] for one in came] == ["accepted", "accepted", "rejected"]
    assert came[0].payload == b'{"command": "disconnect",  "id": "c-1"}'
    assert json.loads(came[1].payload) == {
        "id": "c-2",
        "command": "set_power",
        "value": 1.0,
        "unit": "kW",
    }
    assert (came[2].payload, came[2].size) == (b"\xff no JSON", 9)
    answers = of(messages, "box", "out")
    assert [json.loads(one.payload)["id"] for one in answers] == ["c-1", "c-2", ""]
    assert [one.fate for one in answers] == ["delivered", "refused: no room", "delivered"]
    assert [one.number for one in messages] == list(range(len(messages)))
    assert len({one.changed for one in messages}) == len(messages)


class Untouchable:
    """An object that must not be used."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was used")


def test_nothing_is_looked_at_while_no_device_is_watched() -> None:
    trace = MessageTrace(ROSTER)
    trace.open(FIRST)
    trace.close(FIRST)
    nothing: Any = Untouchable()
    sent = SentMessages(trace, "wire", nothing)
    sent.encoded(nothing, nothing)
    sent.settled(nothing, nothing, nothing, nothing, nothing)
    exchange = Exchange(trace, "box", nothing)
    exchange.received(nothing)
    exchange.answered(nothing)
    exchange.handing_over(nothing)
    exchange.handed_over(nothing, nothing)
    trace.open(FIRST)
    with pytest.raises(AssertionError, match="device was used"):
        sent.encoded(nothing, nothing)
