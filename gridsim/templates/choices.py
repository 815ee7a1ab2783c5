"""The choices for a new configuration: its fleet, and the destination of its readings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gridsim.errors import UsageError, printable

FLEETS: Final[Mapping[str, tuple[str, int]]] = {
    "homes": ("homes with a solar array, a battery and a car", 20),
    "depot": ("a depot of chargers with a battery", 20),
    "solar-park": ("a solar park with a battery", 12),
    "feeder": ("a feeder: homes of three kinds, a shop and wind", 10),
}
"""The fleets, each with a description and its usual size."""
WIRES: Final[Mapping[str, str]] = {
    "embedded": "the embedded MQTT broker, on this machine",
    "mqtt": "your own MQTT broker",
    "stdout": "standard output, a line per reading",
    "file": "a file, a line per reading",
}
"""The destinations that readings can have."""
FORMATS: Final = ("json", "csv")
FRAMINGS: Final = ("der", "project")
TLS: Final = ("auto", "on", "off")

MOST = 100_000
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+")
_DERS = {"homes": (3, 0), "depot": (1, 1), "solar-park": (1, 1), "feeder": (5, 2)}
_PROJECTS = {"homes": (1, 0), "depot": (0, 1), "solar-park": (0, 1), "feeder": (3, 1)}


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices for a new configuration."""

    fleet: str = "homes"
    count: int | None = None
    """The number of homes, chargers, arrays or homes of each kind; None: the usual size."""
    wire: str = "embedded"
    host: str | None = None
    port: int | None = None
    """The port of the broker; None: 1883, or 8883 with TLS."""
    tls: str = "auto"
    path: str | None = None
    """The path of the file transport; None: out/{date}.jsonl, or .csv."""
    format: str = "json"
    framing: str = "der"
    timezone: str | None = None
    latitude: float | None = None
    longitude: float | None = None

    def check(self) -> None:
        """Raise UsageError for the first invalid choice."""
        for flag, value, known in (
            ("--fleet", self.fleet, FLEETS),
            ("--to", self.wire, WIRES),
            ("--format", self.format, FORMATS),
            ("--framing", self.framing, FRAMINGS),
            ("--tls", self.tls, TLS),
        ):
            if value not in known:
                raise _error(flag, f"'{printable(value)}' is not one of {', '.join(known)}")
        if self.count is not None and not 1 <= self.count <= MOST:
            raise _error("--count", f"must be from 1 to {MOST:,}, not {self.count:,}")
        if self.port is not None and not 0 < self.port < 65_536:
            raise _error("--port", f"must be from 1 to 65535, not {self.port}")
        if self.wire == "mqtt" and not self.host:
            raise _error("--to mqtt", "needs --host, the name or address of the broker")
        if self.host is not None and not _HOST.fullmatch(self.host):
            raise _error("--host", f"'{printable(self.host)}' is not a name or address")
        for flag, given, wires in (
            ("--host", self.host, ("mqtt",)),
            ("--port", self.port, ("mqtt", "embedded")),
            ("--tls", None if self.tls == "auto" else self.tls, ("mqtt",)),
            ("--path", self.path, ("file",)),
        ):
            if given is not None and self.wire not in wires:
                raise _error(flag, f"has no meaning with --to {self.wire}")
        if self.path is not None and (not self.path or not self.path.isprintable()):
            raise _error("--path", f"'{printable(self.path)}' is not the name of a file")
        if self.format == "csv" and self.framing == "project":
            raise _error("--framing project", "needs --format json: CSV has a line per DER")
        if (self.latitude is None) != (self.longitude is None):
            raise _error("--latitude, --longitude", "give both, or neither")

    @property
    def messages_per_s(self) -> int:
        """The number of messages that the fleet sends each second."""
        each, more = (_DERS if self.framing == "der" else _PROJECTS)[self.fleet]
        return each * self.size + more

    @property
    def size(self) -> int:
        return FLEETS[self.fleet][1] if self.count is None else self.count


def _error(flag: str, problem: str) -> UsageError:
    return UsageError(f"gridsim init: error: {flag}: {problem}")
