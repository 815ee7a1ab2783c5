"""The settings of the transport `kafka`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from gridsim.api import LocalPath, RunPeriod, Settings, Unit
from gridsim.helpers import is_loopback


class KafkaSettings(Settings):
    """Settings of the transport `kafka`."""

    # An error of pydantic would also show the other settings, including the password.
    model_config = ConfigDict(hide_input_in_errors=True)

    brokers: list[str] = Field(
        ["localhost:9092"],
        min_length=1,
        description="addresses of brokers, from which the client finds the others",
    )
    topic: str = Field(
        "readings",
        pattern=r"^[a-zA-Z0-9._-]{1,249}$",
        description="topic of the messages; their key is the project_id",
    )
    username: str = Field("", description="user name of SASL; empty: without a login")
    password: SecretStr = Field(SecretStr(""), description="only with a username")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="the way in which the password is checked"
    )
    tls: bool = Field(False, description="connect with TLS")
    ca_file: LocalPath = Field(
        "",
        description="PEM file of the trusted certificate authorities, relative to the folder of "
        "the configuration; empty: the system's",
    )
    allow_plaintext_password: bool = Field(
        False, description="log in without TLS at an address that is not loopback"
    )
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        "lz4", description="compression of the messages"
    )
    max_message_bytes: int = Field(
        1_000_000,
        ge=1000,
        le=1_000_000_000,
        description="maximum size of a message; larger ones are dropped",
    )
    connect_timeout_s: Annotated[float, Unit("s")] = Field(
        5.0, gt=0, le=300, description="time limit for the answer of a broker to a new connection"
    )

    @field_validator("brokers")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        for one in value:
            host, _, port = one.rpartition(":")
            if not host or not port.isdecimal() or not one.isascii() or "," in one or " " in one:
                raise ValueError(f"{one!r} must be an address such as broker.example:9092")
        return value

    @model_validator(mode="after")
    def _safe(self) -> KafkaSettings:
        if self.password.get_secret_value() and not self.username:
            raise ValueError("password: needs a username")
        far = [one for one in self.brokers if not is_loopback(one.rpartition(":")[0])]
        if self.username and far and not (self.tls or self.allow_plaintext_password):
            raise ValueError(
                f"password: it would be sent to {far[0]} unencrypted; set tls = true, or "
                "allow_plaintext_password = true to permit it"
            )
        return self

    def file_problems(self, period: RunPeriod | None) -> Iterator[tuple[str, str]]:
        """Yield the problem of the file of certificate authorities."""
        if self.ca_file and not os.path.isfile(self.ca_file):
            yield "ca_file", f"names {self.ca_file}, which is not a file"

    def options(self) -> dict[str, Any]:
        """Return the configuration of the client."""
        secured = f"{'SASL_' if self.username else ''}{'SSL' if self.tls else 'PLAINTEXT'}"
        found: dict[str, Any] = {
            "bootstrap.servers": ",".join(self.brokers),
            "client.id": "gridsim",
            "security.protocol": secured,
            # A message is stored once and in order, also if its confirmation was lost.
            "enable.idempotence": True,
            # The client tries until a broker answers: an own limit would make the outcome unclear.
            "message.timeout.ms": 0,
            "linger.ms": 5,
            "compression.type": self.compression,
            "message.max.bytes": self.max_message_bytes,
            "reconnect.backoff.max.ms": 1500,
        }
        if self.username:
            found["sasl.mechanism"] = self.sasl_mechanism
            found["sasl.username"] = self.username
            found["sasl.password"] = self.password.get_secret_value()
        if self.ca_file:
            found["ssl.ca.location"] = self.ca_file
        return found
