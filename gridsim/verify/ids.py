"""Ids that a system writes in another way than they were sent: a difference in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Final

from gridsim.verify.evidence import shown
from gridsim.verify.patterns import Pattern
from gridsim.verify.shifts import LEAST

Change = Callable[[str], str]
"""A function from an id as it was received to the id as it was sent."""

_SAMPLES: Final = 20
_TRIED: Final = 200


def changed_ids(unknown: Counter[str], known: Collection[str], of: int) -> list[Pattern]:
    """Return the difference of most unknown ids from known ones, if there is such a difference.

    `unknown` has the number of records of each id; `of` is the number of all records.
    """
    for text, change, sent in islice(_changes(unknown, known), _TRIED):
        found = {id: change(id) for id in unknown if change(id) in sent}
        records = sum(unknown[id] for id in found)
        if found and records >= max(LEAST, unknown.total() / 2):
            first, plain = next(iter(found.items()))
            example = f"{shown(first)} for {shown(sent[plain])}"
            return [Pattern("der_id", records, of, f"{text}: {example}")]
    return []


def _changes(
    unknown: Counter[str], known: Collection[str]
) -> Iterator[tuple[str, Change, dict[str, str]]]:
    """Yield differences in words, with the change that undoes them and the ids it leads to."""
    plain = {id: id for id in known}
    yield "are in another case", str.casefold, {id.casefold(): id for id in known}
    yield "have other separators", _letters, {_letters(id): id for id in known}
    for received in list(unknown)[:_SAMPLES]:
        for id in known:
            if id and received.endswith(id):
                before = received.removesuffix(id)
                yield f"have {shown(before)} before them", _without_prefix(before), plain
            elif id and received.startswith(id):
                after = received.removeprefix(id)
                yield f"have {shown(after)} after them", _without_suffix(after), plain
            elif received and id.endswith(received):
                before = id.removesuffix(received)
                yield f"lack {shown(before)} before them", _with_prefix(before), plain


def _without_prefix(text: str) -> Change:
    return lambda id: id.removeprefix(text)


def _without_suffix(text: str) -> Change:
    return lambda id: id.removesuffix(text)


def _with_prefix(text: str) -> Change:
    return lambda id: text + id


def _letters(id: str) -> str:
    return "".join(filter(str.isalnum, id)).casefold()
