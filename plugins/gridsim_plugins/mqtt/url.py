"""The broker's address as a URL in `host`, such as mqtts://broker.example:8883."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

PORT: Final = 1883
TLS_PORT: Final = 8883
AUTO: Final = "auto"


@dataclass(frozen=True, slots=True)
class _Scheme:
    transport: str
    tls: str
    port: int


_SCHEMES: Final = {
    "mqtt": _Scheme("tcp", "off", PORT),
    "tcp": _Scheme("tcp", "off", PORT),
    "mqtts": _Scheme("tcp", "on", TLS_PORT),
    "ssl": _Scheme("tcp", "on", TLS_PORT),
    "ws": _Scheme("websockets", "off", 80),
    "wss": _Scheme("websockets", "on", 443),
}


_NO_LOGIN: Final = (
    'must not contain a user name or password: set username, and password = "${MQTT_PASSWORD}"'
)


def with_address(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with a URL in `host` split, and a port for "auto".

    Raises ValueError if the URL cannot be used, or contradicts another setting.
    """
    own = dict(settings)
    if own.get("port") in (AUTO, ""):
        del own["port"]
    host = own.get("host")
    if isinstance(host, str) and "://" in host:
        _split(own, host)
    elif isinstance(host, str):
        own["host"] = _bare(host)
    if "port" not in own and own.get("tls") == "on" and own.get("transport") != "websockets":
        own["port"] = TLS_PORT
    return own


def _split(own: dict[str, Any], url: str) -> None:
    """Replace the URL in the settings by its parts."""
    name = url.partition("://")[0].lower()
    scheme = _SCHEMES.get(name)
    if scheme is None:
        raise ValueError(
            f"host: {name}:// is not one of {', '.join(map('{}://'.format, _SCHEMES))}"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        if "@" in url:  # The error would show a part of the password.
            raise ValueError(f"host: the URL {_NO_LOGIN}") from None
        raise ValueError(f"host: the URL is not valid: {error}") from None
    if "@" in parts.netloc or (scheme.transport == "tcp" and "@" in url):
        raise ValueError(f"host: the URL {_NO_LOGIN}")
    if not host:
        raise ValueError("host: the URL has no host name")
    _put_path(own, parts, scheme, name)
    own["host"] = host
    _put(own, "port", scheme.port if port is None else port, f"{name}:// address")
    _put(own, "tls", scheme.tls, f"{name}:// address", unset=AUTO)
    _put(own, "transport", scheme.transport, f"{name}:// address")


def _put_path(own: dict[str, Any], parts: SplitResult, scheme: _Scheme, name: str) -> None:
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    if parts.fragment or (scheme.transport == "tcp" and path not in ("", "/")):
        raise ValueError(f"host: a {name}:// address ends after the port: remove the path")
    if scheme.transport == "websockets" and path:
        _put(own, "websocket_path", path, f"{name}:// address")


def _put(
    own: dict[str, Any], key: str, value: str | int, source: str, unset: str | None = None
) -> None:
    """Set a setting that the URL implies. Raises ValueError if the setting has another value."""
    given = own.get(key, unset)
    if given is not None and given != unset and str(given) != str(value):
        raise ValueError(
            f"{key}: {given} contradicts the {source} in host, which means {key} = {value}; "
            f"leave {key} out, or change one of them"
        )
    own[key] = value


def _bare(host: str) -> str:
    """Return a host that is not a URL, without the brackets of IPv6. Raises ValueError."""
    if "@" in host:
        raise ValueError(f"host: it {_NO_LOGIN}")
    if "/" in host:
        raise ValueError("host: a path belongs into a URL, such as wss://broker.example/mqtt")
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1]
    name, colon, port = host.rpartition(":")
    if colon and port.isdecimal() and ":" not in name.rpartition("]")[2]:
        raise ValueError(
            f'host: {host!r} contains a port: write port = {port}, or host = "mqtt://{host}"'
        )
    return host
