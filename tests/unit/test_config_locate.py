from __future__ import annotations

import time
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from gridsim.config.text.guard import MAX_DEPTH, too_deep
from gridsim.config.text.locate import KeyPath, locate

TRICKY = '''\
# a comment with "quotes" and [brackets]
title = "TOML = \\"tricky\\" # no comment"
"quoted key".'lit.eral' = 'a # b'
dotted . with . spaces = 1979-05-27 07:32:00Z  # a date with a blank
esc."\\u0061b" = 1.5e3
text = """
[not.a.table]
key = "no" \\
""" # behind
quotes = """""two"""""
literal = \'\'\'
x = [1
\'\'\'\'
empty = ""
nothing = \'\'

[a.b.c]
deep = [ [1, 2,], [ { x = 1, y.z = [true] } ], # inside
  # alone on a line
  "]", \'}\' ]
inline = { p = { q = "}" }, r.s = [], "t u" = inf }

[[fleet]]
id = 1
  [[fleet.der]]
  id = 11
  [fleet.der.site]
  lat = -1.5
  [[fleet.der]]
  id = 12
[[fleet]]
id = 2
[[fleet.der]]
[a]
own = false
[[fleet]]
'''


def paths_of(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    found = {path} if path else set()
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= paths_of(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found |= paths_of(inner, (*path, index))
    return found


def value_at(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data[part]
    return data


def check(text: str) -> None:
    """Every value is found where its own text says the same value."""
    data = tomli.loads(text)
    places = locate(text)
    assert set(places) == paths_of(data)
    for path, place in places.items():
        value = value_at(data, path)
        if not isinstance(value, dict | list):
            assert tomli.loads(f"v = {text[place.value : place.end]}")["v"] == value


def test_finds_what_the_parser_finds_in_a_tricky_text() -> None:
    check(TRICKY)


def test_tells_line_and_column_of_keys_values_and_headers() -> None:
    text = "[a]\n  b . c = { d = [10, 20] }\n[[e]]\n"
    places = locate(text)
    assert text[places["a", "b", "c"].key :].startswith("b . c")
    assert text[places["a", "b", "c"].value :].startswith("{ d")
    assert text[places["a", "b", "c", "d", 1].value :].startswith("20]")
    assert text[places["e", 0].key :].startswith("[[e]]")


names = st.text(st.sampled_from("ab-_1 .#'\"[]{}=é\\\n"), max_size=4)
scalars = st.one_of(
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(st.sampled_from("ab #'\"[]{}=,\\\n\té"), max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


def quoted(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{plain}"'


def literal(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case list():
            return "[" + " ,\n# x ]\n".join(map(literal, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{quoted(k)} = {literal(v)}" for k, v in value.items()) + "}"
    return repr(value)


def written(table: dict[str, Any], name: str = "", header: str = "[{}]") -> str:
    """The table as TOML: tables under headers, arrays of tables where they can be."""
    lines = [header.format(name)] if name else []
    nested = []
    for key, value in table.items():
        path = f"{name}.{quoted(key)}" if name else quoted(key)
        if isinstance(value, dict):
            nested.append(written(value, path))
        elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            nested += [written(entry, path, "[[{}]]") for entry in value]
        else:
            lines.append(f"  {quoted(key)} = {literal(value)} # [")
    return "\n".join([*lines, *nested])


@given(st.dictionaries(names, values, max_size=4))
def test_finds_what_the_parser_finds(table: dict[str, Any]) -> None:
    text = written(table)
    assert tomli.loads(text) == table
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * MAX_DEPTH + " = 1",
        "[" + "a." * MAX_DEPTH + "a]",
        "a = " + "[" * MAX_DEPTH,
        "a = " + "{a=" * MAX_DEPTH,
        "[" + "a." * 15 + "a]\n" + "b." * 10 + "b = {" + "c." * 5 + "c = 1}",
        "x = '''[[[['''\n" + '"a".' * MAX_DEPTH + "b = 1",
    ],
)
def test_refuses_what_is_nested_too_deep(text: str) -> None:
    assert too_deep(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        TRICKY,
        ".".join("a" * MAX_DEPTH) + " = 1.5",
        "[a]\n" * 100,
        "x = [\n" + "[1],\n" * 100 + "]",
        "x = '" + "[" * 100 + "'  # " + "[" * 100,
        'x = """\n' + "a." * 100 + '"""',
        "x = [" + "1.5, " * 100 + "]",
        "x = '" + "[" * 100,
    ],
)
def test_admits_what_is_wide_or_only_looks_deep(text: str) -> None:
    assert too_deep(text) is None


@pytest.mark.parametrize(
    ("lead", "unit", "refused_at"),
    [
        ("", '"\\"', None),
        ("", '"""\\"', None),
        ("", '\\"""', None),
        ("", "'", None),
        ("", '"', None),
        ('"', "a", None),
        ('"', "\\a", None),
        ('"""', "a", None),
        ("", "'''x", None),
        ("", "a = [", 5 * MAX_DEPTH - 1),
        ("", "a.", 2 * MAX_DEPTH - 1),
        ("", "[", None),
        ("", "\\", None),
        ("", '""', None),
    ],
)
def test_judges_hostile_texts_without_going_back(
    lead: str, unit: str, refused_at: int | None
) -> None:
    # Several times what a linear search takes. An exponential one takes longer on the shortest
    # text already, and a quadratic one on the second.
    for size in (22, 20_000, 400_000):
        text = lead + unit * (size // len(unit))
        began = time.thread_time()
        found = too_deep(text)
        assert time.thread_time() - began < 5e-6 * size + 0.1
        if size > 22:
            assert found == refused_at
