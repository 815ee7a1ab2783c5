"""Rows of text from columns of text."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

Texts = bytes | list[bytes]
"""A text for each row, or the one text that all rows share."""


def joined_rows(columns: Iterable[Texts], rows: int) -> list[bytes]:
    """Return the joined texts of each row; texts that all rows share are joined once."""
    pieces: list[Iterable[bytes]] = []
    shared = b""
    for texts in columns:
        if isinstance(texts, bytes):
            shared += texts
            continue
        if shared:
            pieces.append(repeat(shared))
            shared = b""
        pieces.append(texts)
    if shared or not pieces:
        pieces.append(repeat(shared, rows))
    return list(map(b"".join, zip(*pieces, strict=False)))
