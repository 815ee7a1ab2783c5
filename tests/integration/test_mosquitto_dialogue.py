"""The session of commands on a real broker, where more comes than anybody listens to."""

from __future__ import annotations

import time

import pytest

from gridsim.api import TransportError
from gridsim_plugins.mqtt.session import dialogue
from gridsim_plugins.mqtt.session.dialogue import Dialogue
from gridsim_plugins.mqtt.source import MqttCommandSettings
from tests.integration.conftest import Brokers
from tests.integration.mosquitto import DEADLINE_S


def test_what_nobody_listens_to_fills_no_memory(
    brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogue, "_MOST_BYTES", 10_000)
    port = brokers.ports["plain"]
    settings = MqttCommandSettings(host="127.0.0.1", port=port)
    session = Dialogue(settings, ("127.0.0.1", port), "gridsim-echo", 5.0)
    try:
        session.subscribe(["echo/#"])
        session.publish([("echo/1", b"x" * 1000)] * 50)
        came = dropped = 0
        deadline = time.monotonic() + DEADLINE_S
        while came + dropped < 50:
            assert time.monotonic() < deadline
            came += len(session.listen(0.1))
            dropped += session.take_dropped()
        assert came >= 7
        assert dropped > 0
        session.publish([("echo/2", b"after")])
        while not (messages := session.listen(0.1)):
            assert time.monotonic() < deadline
        assert messages[0].payload == b"after"
    finally:
        session.close()


def test_the_end_counts_what_the_broker_has_sent_and_nobody_read(brokers: Brokers) -> None:
    port = brokers.ports["plain"]
    settings = MqttCommandSettings(host="127.0.0.1", port=port)
    sender = Dialogue(settings, ("127.0.0.1", port), "gridsim-sender", 5.0)
    session = Dialogue(settings, ("127.0.0.1", port), "gridsim-reader", 5.0, most_each=10)
    try:
        session.subscribe(["flood/+"], 0)
        sender.publish([(f"flood/{n % 3}", b"x") for n in range(900)])
        assert session.unsubscribe(DEADLINE_S)
        assert session.take_unread() == 900
        sender.publish([("flood/1", b"x")])
        assert session.listen(0.0) == []
        session.subscribe(["flood/+"], 0)
        assert not session.unsubscribe(0.0)
    finally:
        sender.close()
        session.close()


def test_a_lost_session_raises_when_it_unsubscribes(brokers: Brokers) -> None:
    port = brokers.ports["plain"]
    settings = MqttCommandSettings(host="127.0.0.1", port=port)
    session = Dialogue(settings, ("127.0.0.1", port), "gridsim-twice", 5.0)
    session.subscribe(["flood/+"], 0)
    # The broker ends a session when another opens with its client id.
    other = Dialogue(settings, ("127.0.0.1", port), "gridsim-twice", 5.0)
    try:
        with pytest.raises(TransportError, match="is lost"):
            session.unsubscribe(DEADLINE_S)
    finally:
        other.close()
        session.close()


def test_in_a_hurry_the_flood_ends_before_the_answers_are_waited_for(
    brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = brokers.ports["plain"]
    settings = MqttCommandSettings(host="127.0.0.1", port=port)
    sender = Dialogue(settings, ("127.0.0.1", port), "gridsim-sender", 5.0)
    session = Dialogue(settings, ("127.0.0.1", port), "gridsim-reader", 5.0, most_each=10)
    late = Dialogue(settings, ("127.0.0.1", port), "gridsim-late", 5.0)
    try:
        session.subscribe(["flood/+"], 0)
        sender.publish([("flood/1", b"x")] * 90)
        session.hurry()
        session.publish([("answer/1", b"y")])
        sender.publish([("flood/1", b"x")] * 90)
        assert session.unsubscribe(0.0)
        assert session.take_unread() == 90
        # The time limit is that of all waits together.
        monkeypatch.setattr(dialogue, "_HURRY_S", 0.0)
        late.hurry()
        with pytest.raises(TransportError, match="no answer"):
            late.publish([("answer/1", b"y")])
    finally:
        for one in (sender, session, late):
            one.close()
