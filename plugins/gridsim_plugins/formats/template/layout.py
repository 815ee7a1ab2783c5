"""From a parsed template to the pieces of a message."""

from __future__ import annotations

import re

from gridsim.api import Framing
from gridsim_plugins.formats.template.errors import TemplateError
from gridsim_plugins.formats.template.fields import PER_DEVICE, Fields
from gridsim_plugins.formats.template.fusing import Item, Laid, fused, joined, left_out
from gridsim_plugins.formats.template.nodes import Array, Constant, Node, Object, Text
from gridsim_plugins.formats.template.parse import REPEAT, check_size, parse
from gridsim_plugins.formats.template.pieces import Piece, Repeated
from gridsim_plugins.formats.template.placeholder import Placeholder, split_text
from gridsim_plugins.formats.template.values import (
    Mask,
    PlaceholderPlace,
    Value,
    constant_texts,
    piece_of,
    quoted,
    read_value,
)

_JSON = re.compile(r'\s*(?:\[|\{\s*["}])')
"""The start of JSON; a bare text starts with a placeholder, or with another character."""


class Layout:
    """The layout of messages of one framing."""

    def __init__(self, fields: Fields, framing: Framing) -> None:
        self._fields = fields
        self._devices = len(fields.roster)
        self._framing = framing
        self._repeating = False
        """True inside the part that is repeated for each device."""
        self._repeats = framing in ("project", "batch")

    def message(self, node: Node, *, may_miss: bool = False) -> list[Piece]:
        """Return the pieces of a message; with `may_miss` it may be left out.

        Raises TemplateError.
        """
        laid = self._node(node)
        self._no_array(laid)
        if laid.absent and may_miss:
            return [left_out(laid.items, laid.absent, self._devices)]
        if laid.absent:
            raise TemplateError("a message cannot be left out; use else(null)", node.offset)
        return fused(laid.items, self._devices)

    def _node(self, node: Node) -> Laid:
        match node:
            case Constant(text=text):
                return Laid([text.encode()])
            case Text():
                return self._text(node)
            case Array():
                return self._array(node)
            case Object():
                return self._object(node)

    def _text(self, node: Text) -> Laid:
        whole = node.whole
        if whole is not None:
            return self._value(whole, "value")
        laid = Laid([b'"'])
        for part in node.parts:
            if isinstance(part, str):
                laid.items.append(quoted(part, "inside"))
                continue
            inner = self._value(part, "inside")
            laid.items += inner.items
            laid.absent += inner.absent
            laid.absent_element += inner.absent_element
        laid.items.append(b'"')
        return laid

    def _value(self, placeholder: Placeholder, place: PlaceholderPlace) -> Laid:
        value = read_value(placeholder, self._fields, bare=False)
        self._check_level(value)
        laid = Laid([constant_texts(value, place) if value.is_constant else piece_of(value, place)])
        laid.offset = placeholder.offset
        if value.style.missing == "omit":
            laid.absent.append(value.absent)
        elif value.style.missing == "omit_element":
            laid.absent_element.append(value.absent)
        return laid

    def _check_level(self, value: Value) -> None:
        if not self._repeats or self._repeating:
            return
        for name, offset in value.expression.names.items():
            level = self._fields.known[name].level
            if self._framing == "batch" and level != "run":
                raise TemplateError(
                    f"{name!r} differs between the readings of this message; write it in an array "
                    f'[ELEMENT, "{REPEAT}"]',
                    offset,
                )
            if level in PER_DEVICE:
                raise TemplateError(
                    f"{name!r} differs between the devices of this message; write it in an array "
                    f'[ELEMENT, "{REPEAT}"], or below a key with {{der_id}}',
                    offset,
                )

    def _array(self, node: Array) -> Laid:
        if node.repeats:
            return self._repeated_array(node)
        laid = [self._node(item) for item in node.items]
        for one in laid:
            one.absent += one.absent_element
            one.absent_element = []
        return joined(b"[", laid, b"]", self._devices)

    def _repeated_array(self, node: Array) -> Laid:
        with_what = f'"{REPEAT}" repeats an element for each device'
        if not self._repeats:
            raise TemplateError(
                f"{with_what}, and a message of framing {self._framing} has one", node.offset
            )
        repeated = self._repeat(node.items[0], node.offset)
        return Laid([b"[", repeated, b"]"])

    def _repeat(self, *nodes: Node | bytes | int) -> Repeated:
        *parts, offset = nodes
        assert isinstance(offset, int)
        if self._repeating:
            raise TemplateError("this is inside a part that is repeated already", offset)
        self._repeating = True
        items: list[Item] = []
        absent: list[Mask] = []
        for part in parts:
            if isinstance(part, bytes):
                items.append(part)
            elif not isinstance(part, int):
                laid = self._node(part)
                items += laid.items
                absent += laid.absent + laid.absent_element
        self._repeating = False
        n = self._devices
        return Repeated([left_out(items, absent, n)] if absent else fused(items, n))

    def _object(self, node: Object) -> Laid:
        members = []
        for key, inner in node.members:
            if self._is_repeated(key):
                if len(node.members) > 1:
                    raise TemplateError(
                        "a key with {der_id} is repeated for each device, and must be the only "
                        "one of its object",
                        key.offset,
                    )
                repeated = self._repeat(key, b":", inner, key.offset)
                return Laid([b"{", repeated, b"}"])
            name, laid = self._text(key), self._node(inner)
            if name.absent or name.absent_element:
                raise TemplateError("a key cannot be left out", key.offset)
            if key.whole is not None:
                value = read_value(key.whole, self._fields, bare=False)
                if value.may_miss and "" in self._fields.of_devices(value.name):
                    raise TemplateError(
                        f"a device has no {value.name}, so it cannot be a key", key.offset
                    )
                if value.kind == "number" or value.kind == "truth":
                    raise TemplateError("a key is a text; add a letter to it", key.offset)
            laid.items[:0] = [*name.items, b":"]
            members.append(laid)
        return joined(b"{", members, b"}", self._devices)

    def _is_repeated(self, key: Text) -> bool:
        """Return whether a key differs between the devices of a message."""
        if not self._repeats or self._repeating:
            return False
        values = [read_value(one, self._fields, bare=False) for one in key.placeholders]
        if self._framing == "batch":
            # Several readings of one device may be in one message, so a key would occur twice.
            return False
        if not any(value.levels & PER_DEVICE for value in values):
            return False
        if not any(value.name == "der_id" for value in values):
            raise TemplateError(
                "this key is repeated for each device, and must contain {der_id}, because two "
                "devices may be alike in the rest",
                key.offset,
            )
        return True

    def _no_array(self, laid: Laid) -> None:
        if laid.absent_element:
            raise TemplateError(
                "else(omit_element) leaves out an element of an array, and there is none around "
                "it; use else(omit)",
                laid.offset,
            )


def measurand(text: str, fields: Fields) -> list[Piece]:
    """Return the pieces of a message of one value: JSON, or a bare text. Raises TemplateError."""
    check_size(text)
    if _JSON.match(text):
        return Layout(fields, "measurand").message(parse(text), may_miss=True)
    items: list[Item] = []
    absent: list[Mask] = []
    for part in split_text(text, 0):
        if isinstance(part, str):
            items.append(part.encode())
            continue
        value = read_value(part, fields, bare=True)
        constant = value.is_constant
        items.append(constant_texts(value, "bare") if constant else piece_of(value, "bare"))
        if value.style.missing == "omit" and (value.kind == "number" or value.may_miss):
            absent.append(value.absent)
    n = len(fields.roster)
    return [left_out(items, absent, n)] if absent else fused(items, n)
