"""The settings of the transport `postgres`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, SecretStr, model_validator

from gridsim.api import ColumnSettings, LocalPath, RunPeriod, Unit
from gridsim.helpers import is_loopback

SslMode = Literal["auto", "disable", "prefer", "require", "verify-ca", "verify-full"]
_ENCRYPTED = ("require", "verify-ca", "verify-full")


class PostgresSettings(ColumnSettings):
    """Settings of the transport `postgres`."""

    # An error of pydantic would also show the other settings, including the password.
    model_config = ConfigDict(hide_input_in_errors=True)

    host: str = Field(
        "localhost",
        min_length=1,
        description="the server's name or address, or the folder of its socket, such as "
        "/var/run/postgresql",
    )
    port: int = Field(5432, ge=1, le=65_535, description="the server's TCP port")
    database: str = Field(min_length=1, description="name of the database")
    username: str = Field("", description="role to connect as; empty: the name of this user")
    password: SecretStr = Field(SecretStr(""), description="password of the role")
    sslmode: SslMode = Field(
        "auto",
        description="TLS, in the words of libpq. auto: prefer on this machine, otherwise "
        "verify-full, which checks the server's certificate and name",
    )
    ca_file: LocalPath = Field(
        "",
        description="PEM file of the trusted certificate authorities, relative to the folder of "
        "the configuration; empty: the system's",
    )
    allow_plaintext_password: bool = Field(
        False,
        description="permit a password with sslmode disable or prefer to another machine, where "
        "the server decides how it is sent",
    )
    table: str = Field(
        "readings",
        pattern=r"^[^.\x00]+(\.[^.\x00]+)?$",
        description="table to write to, such as readings or telemetry.readings",
    )
    create: bool = Field(
        False, description="create the table if it does not exist; an existing one is not changed"
    )
    on_conflict: Literal["refuse", "ignore"] = Field(
        "refuse",
        description="rule for a row that repeats a unique key of the table: refuse drops it with "
        "the reason; ignore counts it as delivered, because the table has it (the rows then go "
        "through a temporary table)",
    )
    connect_timeout_s: Annotated[int, Unit("s")] = Field(
        5, ge=2, le=300, description="time limit for the connection"
    )
    statement_timeout_s: Annotated[float, Unit("s")] = Field(
        30.0,
        gt=0,
        le=86_400,
        description="time limit for writing one part of a batch, for example while the table is "
        "locked; the server cancels it, and it is written again",
    )

    @model_validator(mode="after")
    def _encrypted(self) -> PostgresSettings:
        way = self.mode
        if way == "verify-ca" and not self.ca_file:
            raise ValueError("sslmode: verify-ca needs ca_file; verify-full does not")
        if not (
            not self.password.get_secret_value()
            or way in _ENCRYPTED
            or self.is_local
            or self.allow_plaintext_password
        ):
            raise ValueError(
                f"password: it could be sent to {self.host} unencrypted; set sslmode to "
                "verify-full, or allow_plaintext_password = true to permit it"
            )
        return self

    def file_problems(self, period: RunPeriod | None) -> Iterator[tuple[str, str]]:
        """Yield the problem of the file of certificate authorities."""
        if self.ca_file and not os.path.isfile(self.ca_file):
            yield "ca_file", f"names {self.ca_file}, which is not a file"

    @property
    def is_local(self) -> bool:
        """True if the server is on this machine."""
        return self.host.startswith("/") or is_loopback(self.host)

    @property
    def mode(self) -> str:
        """The value of libpq's sslmode."""
        if self.sslmode != "auto":
            return self.sslmode
        return "prefer" if self.is_local else "verify-full"
