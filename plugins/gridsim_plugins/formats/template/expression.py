"""The arithmetic of a placeholder, over columns.

The text is parsed by Python's own parser, and only the parts of an allow-list are accepted.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gridsim.api import Floats
from gridsim_plugins.formats.template.errors import TemplateError, unknown

Get = Callable[[str], Floats]
"""The function that returns a column by its name."""

_LONGEST, _DEEPEST = 1000, 200
_OPERATORS: Mapping[type[ast.operator], Any] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}
_FUNCTIONS: Mapping[str, tuple[Any, int, int]] = {
    # The function, and the fewest and the most arguments.
    "max": (np.maximum, 2, 2),
    "min": (np.minimum, 2, 2),
    "abs": (np.abs, 1, 1),
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression."""

    evaluate: Callable[[Get], Floats]
    """The function that returns its values; NaN where a column has none."""
    names: Mapping[str, int]
    """The columns in it, each with its place in the template."""
    name: str | None
    """The name if the expression is a single column."""


def parse_expression(text: str, offset: int) -> Expression:
    """Return an expression; `offset` is its place in the template. Raises TemplateError."""
    if len(text) > _LONGEST:
        raise TemplateError(f"the expression is longer than {_LONGEST:,} characters", offset)
    try:
        with warnings.catch_warnings():
            # Python prints a warning about a text such as 2max(a, b).
            warnings.simplefilter("error", SyntaxWarning)
            tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        column = max((error.offset or 1) - 1, 0)
        raise TemplateError(
            f"{text!r} is not an expression: a field, or arithmetic with + - * / max min abs",
            offset + min(column, len(text) - 1),
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise TemplateError("the expression cannot be read", offset) from None
    compiler = _Compiler(text, offset)
    evaluate = compiler.compile(tree)
    name = tree.id if isinstance(tree, ast.Name) else None
    return Expression(evaluate, compiler.names, name)


def _is_constant(node: ast.expr) -> bool:
    """Return whether an expression has no column."""
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=operand):
            return _is_constant(operand)
        case ast.BinOp(left=left, right=right):
            return _is_constant(left) and _is_constant(right)
        case ast.Call(args=arguments):
            return all(_is_constant(one) for one in arguments)
        case _:
            return False


def _no_column(name: str) -> Floats:
    raise AssertionError(f"a constant has no column {name!r}")


class _Compiler:
    def __init__(self, text: str, offset: int) -> None:
        self._text = text
        self._offset = offset
        self.names: dict[str, int] = {}
        self._depth = 0

    def compile(self, node: ast.expr) -> Callable[[Get], Any]:
        if self._depth > _DEEPEST:
            raise TemplateError(
                f"the expression nests deeper than {_DEEPEST} levels", self._place(node)
            )
        self._depth += 1
        evaluate = self._compile(node)
        self._depth -= 1
        if not _is_constant(node):
            return evaluate
        with np.errstate(all="ignore"):
            value = evaluate(_no_column)
        if not np.isfinite(value):
            raise TemplateError("this number is larger than 1.8e308", self._place(node))
        return lambda get: value

    def _compile(self, node: ast.expr) -> Callable[[Get], Any]:
        match node:
            case ast.Name(id=name):
                self.names.setdefault(name, self._place(node))
                return lambda get: get(name)
            case ast.Constant(value=value) if isinstance(value, int | float) and not isinstance(
                value, bool
            ):
                number = float(value)
                return lambda get: number
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                inner = self.compile(operand)
                if isinstance(sign, ast.UAdd):
                    return inner
                return lambda get: -inner(get)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                apply = _OPERATORS[type(op)]
                first, second = self.compile(left), self.compile(right)
                if isinstance(op, ast.Div) and _is_constant(right) and second(_no_column) == 0:
                    raise TemplateError("this divides by zero", self._place(right))
                return lambda get: apply(first(get), second(get))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(node, name, arguments)
            case _:
                raise TemplateError(
                    "an expression has fields, numbers, + - * / ( ) and max, min, abs only",
                    self._place(node),
                )

    def _call(self, node: ast.expr, name: str, arguments: list[ast.expr]) -> Callable[[Get], Any]:
        if name not in _FUNCTIONS:
            raise unknown("function", name, _FUNCTIONS, self._place(node))
        function, fewest, most = _FUNCTIONS[name]
        if not fewest <= len(arguments) <= most:
            wanted = "1 value" if most == 1 else f"{most} values"
            raise TemplateError(f"{name} takes {wanted}, not {len(arguments)}", self._place(node))
        inner = [self.compile(argument) for argument in arguments]
        return lambda get: function(*(one(get) for one in inner))

    def _place(self, node: ast.expr) -> int:
        # The parser counts bytes of UTF-8.
        before = self._text.encode()[: node.col_offset].decode(errors="ignore")
        return self._offset + len(before)
