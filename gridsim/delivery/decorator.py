"""A format that wraps another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gridsim.api import Batch, Format, Payloads


class FormatDecorator(Format):
    """A format that behaves like the wrapped one, except for what a subclass overrides.

    Every public member of the contract is forwarded, including members added to the contract later,
    and so is every further attribute of the wrapped format.
    """

    def __init__(self, format: Format) -> None:
        # Without the base's constructor: its attributes are those of `format`.
        self._format = format

    def __getattr__(self, name: str) -> Any:
        return getattr(self._format, name)


def innermost(format: Format) -> Format:
    """Return the format inside all decorators."""
    while isinstance(format, FormatDecorator):
        format = format._format
    return format


def _forwarded(name: str) -> property:
    return property(lambda self: getattr(self._format, name))


for _name in dir(Format):
    # `encode` stays abstract: each decorator changes it.
    if not _name.startswith("_") and _name != "encode":
        setattr(FormatDecorator, _name, _forwarded(_name))


def encoded_parts(
    format: Format, batch: Batch, rows: int | None
) -> Iterator[tuple[Batch, Payloads]]:
    """Return `format.encode_parts` of a batch; `rows` None takes the format's own default."""
    return format.encode_parts(batch) if rows is None else format.encode_parts(batch, rows)
