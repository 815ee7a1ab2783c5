"""The fault `malformed`: messages that cannot be parsed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gridsim.api import MessageEffects, MessageFault, Register, Settings, Tick, hookimpl

_WAYS = ("unclosed", "garbled", "doubled")
# These bytes never occur in UTF-8.
_GARBAGE = b"\xff\xfe\xff\xfe"


class MalformedSettings(Settings):
    """Settings of the fault `malformed`."""

    how: Literal["unclosed", "garbled", "doubled", "any"] = Field(
        "any",
        description="unclosed: the last byte is missing; garbled: some bytes are not UTF-8; "
        "doubled: the payload is repeated; any: drawn for each message",
    )


class Malformed(MessageFault[MalformedSettings]):
    """Messages whose payload is neither valid JSON nor one line of CSV."""

    Settings = MalformedSettings
    kept = ()

    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        effects.altered[:] = True

    @classmethod
    def alter(cls, settings: MalformedSettings, body: bytes, chance: float) -> bytes:
        ways = _WAYS if settings.how == "any" else (settings.how,)
        # The integer part of the scaled random number selects the way, the fraction the position.
        scaled = chance * len(ways)
        way = ways[int(scaled)]
        if way == "unclosed":
            return body[:-1] or _GARBAGE
        if way == "doubled":
            return body + body
        at = int((scaled - int(scaled)) * len(body))
        return body[:at] + _GARBAGE[: len(body) - at] + body[at + len(_GARBAGE) :]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("malformed", Malformed)
