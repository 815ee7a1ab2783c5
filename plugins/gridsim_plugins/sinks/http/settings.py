"""The settings of the transports that post to a server: `http` and `influx`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from gridsim.api import ColumnSettings, LocalPath, RunPeriod, Settings, Unit
from gridsim.helpers import is_loopback


class ServerSettings(Settings):
    """The settings of a server, and of the requests to it."""

    # An error of pydantic would also show the other settings, including the secrets.
    model_config = ConfigDict(hide_input_in_errors=True)

    url: str = Field(description="address, http:// or https://")
    token: SecretStr = Field(SecretStr(""), description="token of the header Authorization")
    username: str = Field("", description="user name of basic authentication, instead of a token")
    password: SecretStr = Field(SecretStr(""), description="only with a username")
    headers: dict[str, str] = Field({}, description="further headers, without secrets")
    ca_file: LocalPath = Field(
        "",
        description="PEM file of the trusted certificate authorities, relative to the folder of "
        "the configuration; empty: the system's",
    )
    allow_plaintext_password: bool = Field(
        False,
        description="send token or password without TLS to an address that is not loopback",
    )
    gzip: bool = Field(False, description="compress the requests")
    rows_per_request: int = Field(
        1000, ge=1, le=100_000, description="maximum number of readings in a request"
    )
    timeout_s: Annotated[float, Unit("s")] = Field(
        10.0, gt=0, le=3600, description="time limit for the connection, and for each answer"
    )

    @field_validator("url")
    @classmethod
    def _usable(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError('must be an address such as "https://host/path"')
        if "@" in parts.netloc:
            raise ValueError("must not have credentials: use username and password, or token")
        if parts.fragment or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("must be ASCII, without spaces and without a part after #")
        _ = parts.port  # raises ValueError
        return value

    @field_validator("headers")
    @classmethod
    def _in_lines(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not name or not (name + text).isascii() or not (name + text).isprintable():
                raise ValueError(f"the header {name!r} must be printable ASCII")
        return value

    @model_validator(mode="after")
    def _safe(self) -> Self:
        has_token, has_password = (
            bool(one.get_secret_value()) for one in (self.token, self.password)
        )
        if has_token and self.username:
            raise ValueError("token: use either a token, or username and password")
        if has_password and not self.username:
            raise ValueError("password: needs a username")
        parts = urlsplit(self.url)
        local = parts.scheme == "https" or is_loopback(parts.hostname or "")
        if (has_token or has_password) and not (local or self.allow_plaintext_password):
            name = "token" if has_token else "password"
            raise ValueError(
                f"{name}: it would be sent to {parts.hostname} unencrypted; use https, or "
                "allow_plaintext_password = true to permit it"
            )
        return self

    def file_problems(self, period: RunPeriod | None) -> Iterator[tuple[str, str]]:
        """Yield the problem of the file of certificate authorities."""
        if self.ca_file and not os.path.isfile(self.ca_file):
            yield "ca_file", f"names {self.ca_file}, which is not a file"


class HttpSettings(ServerSettings):
    """Settings of the transport `http`."""

    method: Literal["POST", "PUT"] = Field("POST", description="method of the requests")
    body: Literal["array", "lines"] = Field(
        "array",
        description="body of a request: array: a JSON array of the messages; lines: a line for "
        "each message",
    )
    content_type: str = Field(
        "",
        description="content type of the requests; empty: application/json for an array, "
        "application/x-ndjson for lines of JSON, otherwise text/plain",
    )


class InfluxSettings(ServerSettings, ColumnSettings):
    """Settings of the transport `influx`."""

    url: str = Field(
        "http://localhost:8086", description="address of the server, http:// or https://"
    )
    database: str = Field("", description="database of InfluxDB 1, instead of org and bucket")
    retention_policy: str = Field("", description="retention policy of InfluxDB 1")
    org: str = Field("", description="organization of InfluxDB 2 or 3, with bucket and token")
    bucket: str = Field("", description="bucket of InfluxDB 2 or 3")
    measurement: str = Field(
        "readings", min_length=1, description="measurement that the points belong to"
    )
    rows_per_request: int = Field(
        5000, ge=1, le=100_000, description="maximum number of readings in a request"
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.database) == bool(self.bucket):
            raise ValueError("database: set either database (InfluxDB 1), or bucket (2 or 3)")
        return self
