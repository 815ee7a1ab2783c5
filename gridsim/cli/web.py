"""`--web [HOST:PORT]` and `--no-web`: the page of a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Optional

import typer

from gridsim.cli.help import SHOWN, GroupedCommand, GroupedGroup

_VIEW = "web"
_FLAG = "--web"
_HOST = r"\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9.-]*"
_ADDRESS = re.compile(rf"(?P<host>{_HOST}):(?P<port>\d+)")
# Another word after the flag, such as the name of a command, is not its value.
_VALUE = re.compile(rf"(?:{_HOST}):\d+|\d+|\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.]+\]|localhost")

Web = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        _FLAG,
        metavar="[HOST:PORT]",
        help="Serve the page, at the address of the configuration or at this one.",
        rich_help_panel=SHOWN,
    ),
]
NoWeb = Annotated[bool, typer.Option("--no-web", help="Serve no page.", rich_help_panel=SHOWN)]


class WebGroup(GroupedGroup):
    """A group of commands with a `--web` whose value is optional."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, with_values(args))


class WebCommand(GroupedCommand):
    """A command with a `--web` whose value is optional."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, with_values(args))


@dataclass(frozen=True, slots=True)
class WebChoice:
    """The effect of `--web` and `--no-web`."""

    address: str | None
    """None: no flag; empty: the page at the address of the configuration."""
    off: bool

    def __post_init__(self) -> None:
        """Raise typer.BadParameter if the options do not fit."""
        if self.off and self.address is not None:
            raise typer.BadParameter("cannot be combined with --web", param_hint="--no-web")
        if self.address and not self.settings:
            raise typer.BadParameter(
                f"{self.address!r} is not an address: write HOST:PORT, such as 127.0.0.1:8080, "
                "or a port",
                param_hint=_FLAG,
            )

    @property
    def views(self) -> Mapping[str, Mapping[str, Any]]:
        """The views that are added or changed, each with its settings."""
        return {} if self.address is None else {_VIEW: self.settings}

    @property
    def without(self) -> tuple[str, ...]:
        """The types of views that are left out."""
        return (_VIEW,) if self.off else ()

    @property
    def settings(self) -> Mapping[str, Any]:
        address = self.address or ""
        if address.isascii() and address.isdigit():
            return {"port": int(address)}
        found = _ADDRESS.fullmatch(address)
        if found is None:
            return {"host": address.strip("[]")} if _VALUE.fullmatch(address) else {}
        host = found["host"].strip("[]")
        return {**({"host": host} if host else {}), "port": int(found["port"])}


def with_values(args: Iterable[str]) -> list[str]:
    """Return the arguments with an empty value for each `--web` that has none."""
    words = list(args)
    ended = words.index("--") if "--" in words else len(words)
    for place, word in enumerate(words[:ended]):
        if word == _FLAG and not _VALUE.fullmatch("".join(words[place + 1 : place + 2])):
            words[place] = f"{_FLAG}="
    return words
