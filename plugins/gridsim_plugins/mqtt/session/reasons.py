"""The names of MQTT 5's reason codes, for every code in every packet.

paho raises an error for a code that its table does not list for a packet. Brokers do send such
codes: Mosquitto answers with 0x95 (packet too large) in a PUBACK. The table is therefore completed
here: such a code gets its name in other packets, or else its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

REFUSAL = 0x80
"""The lowest reason code of a failure (MQTT 5, section 2.4)."""

ABOUT_CONNECTION = {0x00, 0x88, 0x89, 0x8B, 0x8D, 0x8E, 0x96, 0x98, 0x9C, 0x9D, 0x9F, 0xA0}
"""The reason codes of a DISCONNECT that do not refer to a certain message: shutting down, busy,
taken over, too high a rate, and so on.
"""

_PACKETS = (
    PacketTypes.CONNACK,
    PacketTypes.PUBACK,
    PacketTypes.PUBREC,
    PacketTypes.PUBREL,
    PacketTypes.PUBCOMP,
    PacketTypes.SUBACK,
    PacketTypes.UNSUBACK,
    PacketTypes.DISCONNECT,
    PacketTypes.AUTH,
)


def completed(
    table: Mapping[int, Mapping[str, list[int]]],
) -> MappingProxyType[int, dict[str, list[int]]]:
    """Return a table of names that has exactly one name for each code in each packet."""
    result: dict[int, dict[str, list[int]]] = {}
    for code in range(256):
        names = {name: list(packets) for name, packets in table.get(code, {}).items()}
        named = {packet for packets in names.values() for packet in packets}
        unnamed = [packet for packet in _PACKETS if packet not in named]
        names.setdefault(next(iter(names), f"reason code 0x{code:02x}"), []).extend(unnamed)
        result[code] = names
    return MappingProxyType(result)


ReasonCode.names = completed(ReasonCode.names)


def reason_name(kind: int, reason: int) -> str:
    """Return the name of a reason code in a packet whose first byte is `kind`."""
    return str(ReasonCode(kind >> 4, identifier=reason))
