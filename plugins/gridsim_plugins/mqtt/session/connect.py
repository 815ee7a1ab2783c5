"""CONNECT and CONNACK, for connections that are too many for separate paho clients."""

from __future__ import annotations

from typing import Any, NamedTuple

from paho.mqtt.client import convert_connack_rc_to_reason_code
from paho.mqtt.enums import ConnackCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gridsim_plugins.mqtt.session.answers import ProtocolError
from gridsim_plugins.mqtt.session.frames import length, string

_CONNECT, _CONNACK = 0x10, 0x20
_UNSPECIFIED = 0x80
_CLEAN, _WILL, _WILL_RETAIN, _PASSWORD, _USERNAME = 0x02, 0x04, 0x20, 0x40, 0x80


def connect_packet(
    *,
    client_id: str,
    username: str,
    password: str,
    keepalive_s: int,
    will_topic: str,
    will_payload: bytes,
    v5: bool,
    properties: bytes,
    will_properties: bytes,
) -> bytes:
    """Return the CONNECT of a clean session with a retained last will of QoS 0 (section 3.1).

    The properties begin with their length; in MQTT 3.1.1 they are empty.
    """
    flags = _CLEAN | _WILL | _WILL_RETAIN
    payload = string(client_id) + will_properties + string(will_topic)
    payload += len(will_payload).to_bytes(2, "big") + will_payload
    if username:
        flags |= _USERNAME
        payload += string(username)
        if password:
            flags |= _PASSWORD
            payload += string(password)
    head = string("MQTT") + bytes([5 if v5 else 4, flags]) + keepalive_s.to_bytes(2, "big")
    body = head + properties + payload
    return bytes([_CONNECT]) + length(len(body)) + body


class Connack(NamedTuple):
    """A broker's answer to CONNECT."""

    code: ReasonCode
    properties: Any
    rest: bytes
    """The bytes after it."""
    return_code: int = 0
    """The number of MQTT 3.1.1; 0 with MQTT 5."""


def connack(data: bytes, *, v5: bool) -> Connack | None:
    """Return a CONNACK.

    None if the CONNACK is not complete. Raises ProtocolError if it is another packet.
    """
    if data and data[0] != _CONNACK:
        raise ProtocolError("the answer to CONNECT is not a CONNACK")
    start = 2 if len(data) > 1 and data[1] < 128 else 3
    if len(data) < start:
        return None
    size = data[1] if start == 2 else data[1] & 127 | data[2] << 7
    body, rest = data[start : start + size], data[start + size :]
    if len(body) < size:
        return None
    if size < 2:
        raise ProtocolError("the broker's CONNACK has no reason code")
    properties = Properties(PacketTypes.CONNACK)  # type: ignore[no-untyped-call]
    try:
        if not v5 or size == 2:
            known = ConnackCode(min(body[1], max(ConnackCode)))
            # paho has names for 0 to 5 only; any other number is a refusal, too.
            named = convert_connack_rc_to_reason_code(known)
            if body[1] != known:
                named = ReasonCode(PacketTypes.CONNACK, identifier=_UNSPECIFIED)
            return Connack(named, properties, rest, body[1])
        properties.unpack(body[2:])  # type: ignore[no-untyped-call]
        return Connack(ReasonCode(PacketTypes.CONNACK, identifier=body[1]), properties, rest)
    except Exception as error:  # paho raises errors of many types
        raise ProtocolError(f"the broker's CONNACK cannot be read: {error}") from error
