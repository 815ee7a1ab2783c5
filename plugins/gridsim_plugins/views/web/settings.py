"""The settings of the view `web`."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from gridsim.api import Settings
from gridsim.helpers import is_loopback

_SHORTEST_TOKEN = 16


class WebSettings(Settings):
    """Settings of the view `web`."""

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address to listen on; 0.0.0.0 or :: for all, which needs the token",
    )
    port: int = Field(
        8080,
        ge=0,
        le=65535,
        description="port; if it is taken, one of the next 20; 0: any free port",
    )
    token: SecretStr = Field(
        SecretStr(""),
        description="the token that browsers and programs need; empty: none on a loopback address, "
        "on others a new one in each run, shown in the log",
    )
    hosts: list[str] = Field(
        [],
        description="further host names by which the page is reached, for example behind a proxy",
    )

    @field_validator("token")
    @classmethod
    def _long(cls, value: SecretStr) -> SecretStr:
        token = value.get_secret_value()
        if token and (len(token) < _SHORTEST_TOKEN or not token.isascii() or " " in token):
            raise ValueError(f"must be at least {_SHORTEST_TOKEN} ASCII characters without spaces")
        if token and not token.isprintable():
            raise ValueError("must hold printable characters only")
        return value

    @property
    def is_loopback(self) -> bool:
        """Return whether only programs on this machine reach the address."""
        return is_loopback(self.host)
