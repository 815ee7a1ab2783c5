"""The byte-level check of benchmarks/sink.py: it must see what it is there for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Batch, WireMessage
from gridsim.bench.target import BENCH_CONFIG, find_target
from gridsim.running.plan import Options
from gridsim.simulation.step import Simulation
from gridsim_plugins.mqtt.bench.raw import publish
from tests.fixtures.modules import load_module
from tests.unit.test_bench_parts import make_broker

TICKS = 3
Sent = list[tuple[bytes, bytes]]


frames: Any = load_module(Path(__file__).parents[2] / "benchmarks/frames.py", "benchmark_frames")


def ticks() -> Iterator[tuple[Batch, Sequence[bytes]]]:
    counts = ("projects.0.count=3", "projects.1.count=2")
    target = find_target(Options(config=BENCH_CONFIG, overrides=counts))
    simulation = Simulation(target.plan.configuration.scenario)
    for _ in range(TICKS):
        batch = simulation.step()
        yield batch, target.outlet.format.encode(batch).bodies


@pytest.fixture(scope="module")
def sent() -> Sent:
    """Return the messages of a simulation: topic and payload."""
    messages = []
    for batch, bodies in ticks():
        roster = batch.roster
        for device, body in zip(batch.device.tolist(), bodies, strict=True):
            project = roster.project_id[roster.project[device]]
            messages.append((f"projects/{project}/ders/{roster.der_id[device]}".encode(), body))
    return messages


def judge(arrived: Sent) -> tuple[int, int, int, int]:
    checker = frames.Checker(ticks())
    checker.take(arrived)
    found = checker.end()
    return found.right, found.missing, found.torn, found.mixed


def test_what_was_sent_is_right(sent: Sent) -> None:
    assert judge(sent) == (30, 0, 0, 0)


def test_a_frame_that_did_not_come_is_missing(sent: Sent) -> None:
    assert judge(sent[:7] + sent[8:]) == (29, 1, 0, 0)
    assert judge(sent[:-2]) == (28, 2, 0, 0)


def test_half_a_record_is_torn(sent: Sent) -> None:
    topic, body = sent[5]
    assert judge([*sent[:5], (topic, body[:100]), *sent[6:]]) == (29, 1, 1, 0)


def test_another_devices_record_is_mixed(sent: Sent) -> None:
    mixed = (sent[5][0], sent[6][1])
    assert judge([*sent[:5], mixed, *sent[6:]]) == (29, 1, 0, 1)


def test_a_frame_that_comes_twice_is_not_right(sent: Sent) -> None:
    assert judge([*sent[:5], sent[4], *sent[5:]]) == (30, 0, 0, 1)


def test_frames_are_cut_out_of_a_stream_wherever_it_is_cut(sent: Sent) -> None:
    broker = make_broker()
    packets = [publish(WireMessage(t.decode(), b, 0), broker, 0) for t, b in sent[:4]]
    stream = b"".join([packets[0], packets[1], b"\xc0\x00", packets[2], b"\xe0\x00", packets[3]])
    whole = sum(map(len, packets[:3])) + 4
    assert frames.parse(stream) == (sent[:3], 1, whole, True)
    for cut in range(whole):
        messages, _, used, _ = frames.parse(stream[:cut])
        again, _, _, ended = frames.parse(stream[used:])
        assert ended
        assert messages + again == sent[:3]


def test_a_stream_that_lost_a_byte_is_torn(sent: Sent) -> None:
    broker = make_broker()
    stream = b"".join(publish(WireMessage(t.decode(), b, 0), broker, 0) for t, b in sent[:4])
    with pytest.raises(frames.TornStreamError):
        frames.parse(stream[:50] + stream[51:])
