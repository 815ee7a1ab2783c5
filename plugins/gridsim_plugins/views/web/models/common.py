"""The numbers, texts and states that several shapes of the API share."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0)]
Kw = float | None
"""Power; null where it is missing."""
Outcome = Literal["queued", "accepted", "rejected", "completed", "superseded", "cancelled"]
Text = Annotated[str, Meta(max_length=256)]
Offset = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Limit = Annotated[int, Meta(ge=1, le=500)]
Order = Literal["asc", "desc"]


class Problem(Struct, frozen=True):
    """An error."""

    error: str
