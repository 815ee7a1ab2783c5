"""Strategies for hostile inputs: valid ones that were changed, and values that no one expects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from hypothesis import strategies as st

WORDS = (
    *("", " ", "\n", "\0", "\ufeff", "\u202e", "\ud800", "é", "\U0001d7d9", "'", '"', '"""', "\\"),
    *("${", "${A}", "${A:-", "{", "}", "{n}", "{n:999999999}", "[", "]]", "[[", "[[[[", "=", ","),
    *(".", "#", "..", "/", "nan", "inf", "-inf", "1e308", "1e-320", "-0.0", "9223372036854775807"),
    *("9223372036854775808", "1" * 400, "0x" + "f" * 40, "true", "null", "None", "1970-01-01"),
    *("9999-12-31T23:59:60Z", "0001", "../../etc/passwd", "/dev/zero", "CON", "*", "?", "[!a]"),
    *("[a-", "%s%n", "$(id)", "<script>", "\x1b[2J", "* * * * *", "0 0 31 2 *", "*/0 * * * *"),
    *("@reboot", "Europe/Nowhere", "a" * 3000, "{{{{}}}}"),
)
"""Texts that have broken parsers before."""

numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, -1, 1e308, 1e-320, -0.0, 2**31, 2**53 + 1, 2**63 - 1, 2**64, 10**30]),
)
texts = st.one_of(st.sampled_from(WORDS), st.text(max_size=40))
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
"""Any value that JSON has."""


Make = Callable[[Random], Any]


def changed(make: Make) -> st.SearchStrategy[Any]:
    """Return a strategy for what a function makes with a generator of random numbers.

    hypothesis draws the seed alone, which is ten times as fast as to draw each change.
    """
    return st.integers(0, 2**62).map(lambda seed: make(Random(seed * 0x9E3779B97F4A7C15)))


def changed_text(seeds: Sequence[str], words: Sequence[str] = WORDS) -> Make:
    """Return a maker of texts with up to six parts left out, repeated, moved or replaced."""

    def make(random: Random) -> str:
        text = random.choice(seeds)
        for _ in range(random.choice(_CHANGES)):
            text = _text(random, text, seeds, words)
        return text[:_LONGEST]

    return make


def changed_bytes(seeds: Sequence[bytes]) -> Make:
    """Return a maker of byte strings with up to six changes."""

    def make(random: Random) -> bytes:
        raw = bytearray(random.choice(seeds))
        for _ in range(random.choice(_CHANGES)):
            start = random.randint(0, len(raw))
            length = random.choice((0, 1, 1, 2, 4, 8, 100))
            part = bytes(raw[start : start + length])
            changes = (b"", part * 2, part * 40, bytes(length), b"\xff" * length)
            raw[start : start + length] = random.choice((*changes, random.randbytes(length)))
        return bytes(raw[:_LONGEST])

    return make


def changed_tree(seeds: Sequence[Any]) -> Make:
    """Return a maker of JSON values in which up to six are replaced, removed or renamed."""

    def make(random: Random) -> Any:
        tree = random.choice(seeds)
        for _ in range(random.choice(_CHANGES)):
            tree = _tree(random, tree, 0)
        return tree

    return make


_CHANGES = (1, 1, 1, 2, 3, 6)
_LONGEST = 200_000


def _text(random: Random, text: str, seeds: Sequence[str], words: Sequence[str]) -> str:
    """Return a text with one change."""
    if random.random() < 0.3:
        # Another value of a whole line, so that the result is often valid up to it.
        lines = text.splitlines(keepends=True) or [""]
        at = random.randrange(len(lines))
        key, equals, _ = lines[at].partition("=")
        lines[at] = f"{key}= {random.choice(words)}\n" if equals else lines[at] * 2
        return "".join(lines)
    start = random.randint(0, len(text))
    length = random.choice((0, 1, 1, 2, 5, 20, 200))
    part = text[start : start + length]
    other = random.choice(seeds)
    at = random.randint(0, len(other))
    character = chr(random.choice((random.randrange(128), random.randrange(0x110000))))
    new = random.choice(
        (
            *("", part * 2, part * 50, random.choice(words), random.choice(words)),
            *(character, other[at : at + 60], str(_number(random))),
        )
    )
    return text[:start] + new + text[start + length :]


def _tree(random: Random, tree: Any, depth: int) -> Any:
    """Return a JSON value with one change."""
    into = depth == 0 or random.random() < 0.8
    if isinstance(tree, dict) and tree and into:
        key = random.choice(sorted(tree, key=str))
        kind = random.random()
        if kind < 0.15:
            return {name: value for name, value in tree.items() if name != key}
        if kind < 0.3:
            return {**tree, random.choice(WORDS): tree[key]}
        return {**tree, key: _tree(random, tree[key], depth + 1)}
    if isinstance(tree, list) and tree and into:
        at = random.randrange(len(tree))
        kind = random.random()
        if kind < 0.15:
            return [*tree[:at], *tree[at + 1 :]]
        if kind < 0.3:
            return [*tree, *tree[at:]]
        return [*tree[:at], _tree(random, tree[at], depth + 1), *tree[at + 1 :]]
    return _value(random, 0)


def _value(random: Random, depth: int) -> Any:
    kind = random.randrange(8 if depth < 3 else 6)
    if kind < 2:
        return _number(random)
    if kind < 4:
        return random.choice(WORDS)
    if kind < 6:
        return random.choice((None, True, False))
    inner = [_value(random, depth + 1) for _ in range(random.randrange(4))]
    return inner if kind == 6 else {random.choice(WORDS): one for one in inner}


def _number(random: Random) -> int | float:
    return random.choice(
        (
            *(0, -1, 1, 1e308, 1e-320, -0.0, 2**31, 2**53 + 1, 2**63 - 1, 2**64, 10**30),
            *(random.randint(-1000, 1000), random.uniform(-1e6, 1e6), float("nan"), float("inf")),
        )
    )
