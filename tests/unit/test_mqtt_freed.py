"""A lost connection of MQTT leaves no messages in memory."""

from __future__ import annotations

import gc

import pytest

from gridsim.api import Batch, TransportError
from gridsim.testing import make_batch, make_roster
from gridsim_plugins.mqtt.publish.messages import Messages
from gridsim_plugins.mqtt.transport import Mqtt
from tests.fixtures.scripted_broker import CONNECT, Packet, ScriptedBroker, answer_well
from tests.unit.test_mqtt_isolation import Outcomes, transport_to


def hangs_up(packet: Packet) -> bytes | None:
    return answer_well(packet) if packet.type == CONNECT else None


def loses(transport: Mqtt, batch: Batch) -> bool:
    """Write until the connection is lost. `pytest.raises` would keep the error and its frames."""
    for _ in range(1000):
        try:
            transport.write(batch, Outcomes())
        except TransportError:
            return True
    return False


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_a_lost_connection_was_sending_is_freed_at_once(qos: int) -> None:
    """The collector of the interpreter looks at old objects every few hours in a large run."""
    batch = make_batch(make_roster([1] * 8))
    gc.collect()
    gc.disable()
    try:
        with ScriptedBroker(hangs_up) as broker:
            transport = transport_to(broker.port, batch.roster, qos=qos)
            for _ in range(2):
                transport.connect()
                assert loses(transport, batch)
                transport.close()
        left = [one for one in gc.get_objects() if isinstance(one, Messages)]
        assert not left
    finally:
        gc.enable()
