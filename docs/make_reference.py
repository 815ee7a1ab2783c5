"""Writes docs/reference.md and docs/python-reference.md: the public classes and functions.

    python docs/make_reference.py

pydoc does not show the docstrings of attributes, which stand below them in the source.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import gridsim
import gridsim.api
import gridsim.helpers

PAGE = Path(__file__).with_name("reference.md")
HEAD = """# Reference

The names that plugins import, from `gridsim.api` and `gridsim.helpers`, by the docstrings of the
source. [Your own plugins](plugins.md) shows how they are used. `python docs/make_reference.py`
writes this page.
"""


PYTHON_PAGE = PAGE.with_name("python-reference.md")
PYTHON_HEAD = """# Python reference

The names that programs import from `gridsim`, by the docstrings of the source. [In
Python](python.md) shows how they are used. `python docs/make_reference.py` writes this page.
"""


def page() -> str:
    """Return the page for plugins."""
    return _page(HEAD, gridsim.api, gridsim.helpers)


def python_page() -> str:
    """Return the page for programs."""
    return _page(PYTHON_HEAD, gridsim)


def _page(head: str, *modules: ModuleType) -> str:
    parts = [head]
    for module in modules:
        parts.append(f"## {module.__name__}\n")
        names = (name for name in module.__all__ if not name.startswith("_"))
        parts.extend(_entry(module, name) for name in sorted(names, key=str.lower))
    return "\n".join(parts)


def _entry(module: ModuleType, name: str) -> str:
    """Return the section of one name."""
    value = getattr(module, name)
    lines = [f"### {name}", ""]
    if inspect.isclass(value):
        lines += _class(value)
    elif inspect.ismodule(value):
        lines += [f"A module: `from gridsim.helpers import {name}`.", "", *_text(value.__doc__)]
    elif inspect.isroutine(value):
        lines += [f"`{name}{_signature(value)}`", "", *_text(value.__doc__)]
    else:
        lines += [f"`{_constant(value)}`", ""]
    return "\n".join(lines)


def _class(cls: type[Any]) -> Iterator[str]:
    """Yield the lines of a class: its text, its attributes and its own methods."""
    bases = [base.__name__ for base in cls.__bases__ if base.__module__.startswith("gridsim")]
    if bases:
        yield from (f"Derives from {', '.join(bases)}.", "")
    yield from _text(cls.__doc__ if "__doc__" in vars(cls) else None)
    body = _body(cls)
    attributes = list(_attributes(body))
    if attributes:
        yield from ("| attribute | type | meaning |", "| --- | --- | --- |")
        for attribute, kind, meaning in attributes:
            cells = (f"`{attribute}`", f"`{kind}`", meaning)
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        yield ""
    for node in body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield from _method(node)


def _method(node: ast.FunctionDef) -> Iterator[str]:
    """Yield the lines of a method."""
    result = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    marks = {ast.unparse(one) for one in node.decorator_list}
    call = "" if "property" in marks else f"({ast.unparse(node.args)})"
    kinds = [kind for kind in ("abstractmethod", "classmethod", "property") if kind in marks]
    yield f"- `{node.name}{call}{result}`{f' ({kinds[0]})' if kinds else ''}"
    text = ast.get_docstring(node)
    if text:
        yield from ("", textwrap.indent(text, "  "))
    yield ""


def _body(cls: type[Any]) -> list[ast.stmt]:
    """Return the statements of a class; none if its source is not available."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError):
        return []
    [node] = tree.body
    return node.body if isinstance(node, ast.ClassDef) else []


def _attributes(body: list[ast.stmt]) -> Iterator[tuple[str, str, str]]:
    """Yield the name, the type and the text of each attribute."""
    for place, node in enumerate(body):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        name = node.target.id
        if name.startswith("_"):
            continue
        after = body[place + 1] if place + 1 < len(body) else None
        text = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            text = " ".join(str(after.value.value).split())
        if not text and isinstance(node.value, ast.Call):
            # The settings of a plugin have descriptions.
            described = [k.value for k in node.value.keywords if k.arg == "description"]
            text = " ".join(str(d.value) for d in described if isinstance(d, ast.Constant))
        yield name, ast.unparse(node.annotation), text


def _signature(function: Any) -> str:
    try:
        return str(inspect.signature(function))
    except (ValueError, TypeError):
        return "(...)"


def _constant(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 200 and " at 0x" not in text else type(value).__name__


def _text(docstring: str | None) -> list[str]:
    return [inspect.cleandoc(docstring), ""] if docstring else []


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    PYTHON_PAGE.write_text(python_page(), encoding="utf-8")
