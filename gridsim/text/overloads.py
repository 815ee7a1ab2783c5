"""The warnings about main fuses whose rated current is exceeded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gridsim.contracts.results import FuseOverload
from gridsim.text.words import counted

_NAMED = 3


def overload_lines(overloads: Sequence[FuseOverload]) -> Iterator[str]:
    """Yield a line for each of the first overloads of a tick, and one for the others."""
    for one in overloads[:_NAMED]:
        yield (
            f"{one.project}: {one.current_a:.1f} A on line {one.line} exceed the main fuse of "
            f"{one.main_fuse_a:g} A; further overloads are counted"
        )
    others = len(overloads) - _NAMED
    if others > 0:
        yield f"the main fuses of {counted(others, 'further project')} are exceeded, too"
