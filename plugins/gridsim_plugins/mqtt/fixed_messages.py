"""The settings of messages that are not readings: the last will and announcements."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from gridsim.api import Settings


def _number(value: object) -> object:
    """Convert a text to an integer: the value of an environment variable is a text."""
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else value


Qos = Annotated[Literal[0, 1, 2], BeforeValidator(_number)]


class Will(Settings):
    """A message that the broker publishes when this client disconnects without DISCONNECT."""

    topic: str = Field(description="the topic of the last will")
    payload: str = Field("", max_length=65_535, description="the payload of the last will")
    qos: Qos = Field(0, description="the quality of service of the last will")
    retain: bool = Field(False, description="true: the broker keeps it for later subscribers")


class Announcement(Settings):
    """A message that a connection sends when it begins, before the status and the readings."""

    topic: str = Field(
        description="template with the placeholders of topic. One message for each DER if topic or "
        "payload names a field of a DER, one for each project if it names one of a project, else "
        "one for the run"
    )
    payload: str | dict[str, Any] = Field(
        description="a text, or a table that is sent as JSON. Its texts are templates, too; a text "
        "of number fields alone, such as -{nameplate_capacity}, becomes a number in JSON"
    )
    types: list[str] = Field(
        [],
        description="the types, as reported, of the DERs that are announced; empty: all. Only with "
        "a message for each DER",
    )
    retain: bool = Field(True, description="true: the broker keeps it for later subscribers")
