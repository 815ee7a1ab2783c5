"""The rules of the prose in docstrings, comments, help texts and messages hold.

A function's docstring begins with a verb in the imperative. The docstring of a class, a module,
a property or another attribute begins with an article or a noun. Words that readers stumble
over are not used.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from tests.docs.prose_words import ALSO_NOUNS, BANNED, NOT_A_NOUN, NOT_FIRST, VERBS

ROOT = Path(__file__).parents[2]


# Without the changelog, whose older entries quote words, and the pages that `make realism` and
# `make matrix` write.
PAGES = sorted(
    path
    for pattern in ("docs/*.md", "*.md")
    for path in ROOT.glob(pattern)
    if path.name not in ("CHANGELOG.md", "realism.md", "reliability.md")
)
FILES = sorted(
    path
    for pattern in ("gridsim/**/*.py", "plugins/gridsim_plugins/**/*.py", "benchmarks/**/*.py")
    for path in ROOT.glob(pattern)
)


def room(path: Path) -> str:
    """Return the folder that a file belongs to: gridsim/cli, gridsim_plugins/faults, gridsim."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "plugins":
        parts = parts[1:]
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def decorators(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    return {
        part.attr if isinstance(part, ast.Attribute) else part.id
        for decorator in node.decorator_list
        for part in [decorator.func if isinstance(decorator, ast.Call) else decorator]
        if isinstance(part, ast.Attribute | ast.Name)
    }


def docstrings(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, str, str]]:
    """Yield (line, kind, text), where kind is "function", "test" or "noun"."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if text := ast.get_docstring(node):
                is_attribute = decorators(node) & {"property", "cached_property"}
                is_test = node.name.startswith("test_")
                kind = "test" if is_test else "noun" if is_attribute else "function"
                yield node.lineno, kind, text
        elif isinstance(node, ast.ClassDef | ast.Module):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), "noun", text
        body = getattr(node, "body", None)
        for before, after in pairwise(body) if isinstance(body, list) else ():
            if (
                isinstance(before, ast.Assign | ast.AnnAssign)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                yield after.lineno, "noun", after.value.value.strip()


def wrong_first_word(kind: str, text: str) -> str | None:
    """Return the first word of a docstring if it breaks the rule of its kind."""
    first = re.match(r"[\w-]+(?:'\w+)?", text)
    if first is None:  # it begins with a name in backticks or a number
        return None if kind != "function" else text[:20]
    word = first[0]
    if kind == "function":
        return None if word in VERBS else word
    if word in NOT_FIRST:
        return word
    is_verb = word in VERBS - ALSO_NOUNS or word in NOT_A_NOUN
    return word if kind == "noun" and is_verb else None


def help_texts(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield (line, text) for every `description` and `help` of a setting or an option."""
    for node in nodes:
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg in ("description", "help", "epilog", "short_help"):
                    yield keyword.value.lineno, literal(keyword.value)


def literal(node: ast.expr) -> str:
    """Return the literal parts of a string, an f-string or a sum of strings."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(value) for value in node.values)
    if isinstance(node, ast.FormattedValue):
        return "{}"
    if isinstance(node, ast.BinOp):
        return literal(node.left) + literal(node.right)
    return "{}"


def prose(nodes: Sequence[ast.AST], source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) for every docstring and string literal of several words, and for the
    comments if one of them may have a banned phrase."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            for offset, line in enumerate(node.value.split("\n")):
                yield node.lineno + (offset if "\n" in node.value else 0), line
    if not any("#" in line and BANNED.search(line) for line in source.splitlines()):
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def problems(path: Path) -> list[str]:
    source = path.read_text(encoding="utf-8")
    # The walk takes longer than all that is done with the nodes.
    nodes = list(ast.walk(ast.parse(source)))
    place = path.relative_to(ROOT)
    found = [
        f"{place}:{line}: a {kind}'s docstring begins with {word!r}"
        for line, kind, text in docstrings(nodes)
        if (word := wrong_first_word(kind, text)) is not None
    ]
    found += [
        f"{place}:{line}: a help text begins with {text.split()[0]!r}"
        for line, text in help_texts(nodes)
        if text.split() and text.split()[0].strip(",:;").capitalize() in NOT_FIRST - {"To", "If"}
    ]
    found += [
        f"{place}:{line}: {match[0].strip()!r} in: {text.strip()}"
        for line, text in sorted(set(prose(nodes, source)))
        for match in BANNED.finditer(text)
    ]
    return found


ROOMS = sorted({room(path) for path in FILES})


@pytest.mark.parametrize("name", ROOMS)
def test_prose_of_a_room_is_plain(name: str) -> None:
    found = [problem for path in FILES if room(path) == name for problem in problems(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_prose_of_a_page_is_plain(path: Path) -> None:
    is_code, found = False, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        is_code ^= line.startswith("```")
        found += [
            f"{path.name}:{number}: {match[0]!r}" for match in BANNED.finditer(line) if not is_code
        ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("kind", "text", "word"),
    [
        ("function", "Return the sum.", None),
        ("function", "Returns the sum.", "Returns"),
        ("function", "What the sum is.", "What"),
        ("function", "The sum.", "The"),
        ("noun", "The sum.", None),
        ("noun", "Settings of a type.", None),
        ("noun", "Whether it is on.", "Whether"),
        ("noun", "Return the sum.", "Return"),
        ("noun", "Writes to a file.", "Writes"),
        ("noun", "`name` of it.", None),
        ("test", "Rows come in order.", None),
        ("test", "What comes first.", "What"),
    ],
)
def test_first_words_are_judged(kind: str, text: str, word: str | None) -> None:
    if text.startswith("Return the") and kind == "noun":
        word = None  # "Return" is a noun too
    assert wrong_first_word(kind, text) == word


@pytest.mark.parametrize(
    ("text", "is_banned"),
    [
        ("there is no file", False),
        ("it is no file", True),
        ("it is no longer there", False),
        ("a wish of the user", True),
        ("the year of the search", False),
        ("it appears early", False),
        ("the device is struck", True),
        ("connections, of which one failed", True),
        ("Who may draw nothing", True),
        ("a fleet whose setting is on", False),
        ("in a process of its own, with a log", True),
        ("the rest of its own net load", False),
        ("the value; None: there is none", True),
        ("The most readings of a message", True),
        ("The most likely resolution", False),
    ],
)
def test_banned_phrases_are_found(text: str, is_banned: bool) -> None:
    assert bool(BANNED.search(text)) == is_banned


def test_a_class_name_stands_for_one_class() -> None:
    """Private classes apart, and the API's Problem, whose name its schema shows."""
    places: dict[str, list[str]] = {"Problem": []}
    for path in FILES:
        place = str(path.relative_to(ROOT))
        if place.startswith(("gridsim/", "plugins/")) and "templates" not in path.parts:
            for name in re.findall(r"^class ([A-Z]\w*)", path.read_text("utf-8"), re.MULTILINE):
                places.setdefault(name, []).append(place)
    del places["Problem"]
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
