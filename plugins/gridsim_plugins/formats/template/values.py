"""From a placeholder to the piece that writes its values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from gridsim.api import ATTRIBUTES, Batch, Floats
from gridsim_plugins.formats.template.errors import TemplateError, unknown
from gridsim_plugins.formats.template.expression import Expression, parse_expression
from gridsim_plugins.formats.template.fields import CONSTANT, FieldInfo, FieldKind, Fields, Level
from gridsim_plugins.formats.template.filters import NUMBER, Style, read_style
from gridsim_plugins.formats.template.pieces import SlowValue
from gridsim_plugins.formats.template.placeholder import Placeholder
from gridsim_plugins.formats.template.value_pieces import (
    Affixed,
    FewValues,
    FixedDecimals,
    NamedValues,
    Shortest,
)

PlaceholderPlace = Literal["value", "inside", "bare"]
"""The place of a placeholder: a whole value of JSON, a part of a JSON string, a bare text."""
Mask = Callable[[Batch], NDArray[np.bool_]]

_LEVELS: tuple[Level, ...] = ("run", "project", "device", "message", "reading")


def quoted(text: str, place: PlaceholderPlace) -> bytes:
    """Return a text in the form that its place requires."""
    if place == "bare":
        return text.encode()
    encoded = msgspec.json.encode(text)
    return encoded if place == "value" else encoded[1:-1]


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A placeholder whose names and filters have been checked."""

    placeholder: Placeholder
    kind: FieldKind
    levels: frozenset[Level]
    style: Style
    expression: Expression
    fields: Fields

    @property
    def is_constant(self) -> bool:
        return self.levels <= CONSTANT

    @property
    def may_miss(self) -> bool:
        """True for an attribute, which a device may lack."""
        return self.kind == "text" and self.fields.known[self.name].may_miss

    @property
    def name(self) -> str:
        return self.expression.name or ""

    def numbers(self, batch: Batch) -> Floats:
        """Return the numbers of an expression, one for each row."""
        get = self.fields.getter(batch)
        if self.expression.name is not None:
            column = get(self.expression.name)
            return column if column.dtype == np.float64 else column.astype(np.float64)
        with np.errstate(all="ignore"):
            values = self.expression.evaluate(get)
        return np.broadcast_to(np.asarray(values, np.float64), len(batch))

    def absent(self, batch: Batch) -> NDArray[np.bool_]:
        """Return a mask of the rows without a value."""
        if self.kind == "text":
            missing = np.array([not text for text in self.fields.of_devices(self.name)], np.bool_)
            return missing[batch.device]
        return ~np.isfinite(self.numbers(batch))


def read_value(placeholder: Placeholder, fields: Fields, *, bare: bool) -> Value:
    """Check a placeholder. Raises TemplateError."""
    expression = parse_expression(placeholder.expression, placeholder.expression_offset)
    known = fields.known
    for name, offset in expression.names.items():
        if name not in known:
            raise unknown("field", name, known, offset)
        if name in ATTRIBUTES and name not in fields.roster.columns:
            try:
                fields.roster.attribute(name)
            except ValueError as error:
                raise TemplateError(str(error), offset) from None
        fields.used.add(name)
    info = FieldInfo("number", "run")
    levels: frozenset[Level] = frozenset(known[name].level for name in expression.names)
    if expression.name is not None:
        info = known[expression.name]
    else:
        for name, offset in expression.names.items():
            if known[name].kind != "number":
                raise TemplateError(f"{name!r} is not a number, so it cannot be computed", offset)
    # A message of one bare value is left out if the value is missing.
    start = Style(digits=info.digits, missing="omit" if bare else "write")
    if info.kind == "time":
        start = Style(digits=3)
    style = read_style(placeholder, info, start)
    if bare and any(one.name == "else" for one in placeholder.filters):
        given = next(one for one in placeholder.filters if one.name == "else")
        if style.missing == "omit_element":
            raise TemplateError("this message has no array", given.offset)
        if given.arguments[0] != "omit":
            style = read_style(placeholder, info, Style(digits=info.digits))
    return Value(placeholder, info.kind, levels or frozenset({"run"}), style, expression, fields)


def piece_of(value: Value, place: PlaceholderPlace) -> Affixed | SlowValue:
    """Return the piece that writes the values of each row."""
    style, name = value.style, value.name
    if name == "contract_threshold":
        return SlowValue(
            value.numbers, lambda values: _number_texts(value, place, np.array(values) + 0.0)
        )
    form = b'"%s"' if style.as_text and place == "value" else b"%s"
    if value.kind == "number":
        missing = None
        if style.missing == "write":
            missing = _missing(style, place)
        if style.codes is not None:
            codes = style.codes

            def texts(numbers: Floats) -> dict[float, bytes]:
                names = codes.texts(numbers)
                return {one: quoted(_cased(text, style), place) for one, text in names.items()}

            return NamedValues(value.numbers, texts, missing)
        if style.digits is None:
            write = repr if value.expression.name is not None else _shortest
            return Shortest(value.numbers, write, form, missing)
        return FixedDecimals(value.numbers, style.digits, form, missing)
    write_one = _writer(value, place)

    def read(batch: Batch) -> NDArray[Any]:
        times: NDArray[Any] = value.fields.values(name, batch)
        return times

    if style.time == "local" and value.kind == "time":
        zones = _zones(value)

        def read_local(batch: Batch) -> NDArray[Any]:
            number = zones.of_device[batch.device]
            return value.fields.values(name, batch) * len(zones.names) + number

        return FewValues(read_local, write_one)
    if name == "connection_start_at":
        return SlowValue(read, lambda values: [write_one(one) for one in values])
    return FewValues(read, write_one)


def constant_texts(value: Value, place: PlaceholderPlace) -> Callable[[], list[bytes]]:
    """Return the function that makes the text of each device, for a value that never changes."""
    fields = value.fields

    def make() -> list[bytes]:
        if value.kind == "number":
            with np.errstate(all="ignore"):
                values = value.expression.evaluate(fields.of_devices)
            numbers = np.broadcast_to(np.asarray(values, np.float64), len(fields.roster))
            return _number_texts(value, place, numbers + 0.0)
        write = _writer(value, place)
        column = fields.of_devices(value.name).tolist()
        known = {one: write(one) for one in set(column)}
        if value.may_miss:
            style = value.style
            known[""] = _missing(style, place) if style.missing == "write" else b""
        return [known[one] for one in column]

    return make


def _number_texts(value: Value, place: PlaceholderPlace, numbers: Floats) -> list[bytes]:
    style = value.style
    form = b'"%s"' if style.as_text and place == "value" else b"%s"
    missing = _missing(style, place) if style.missing == "write" else b""
    digits = style.digits
    shortest = repr if value.expression.name is not None else _shortest

    there = np.isfinite(numbers)
    if digits is not None:
        scale = 10.0**digits
        numbers = np.rint(numbers * scale) / scale + 0.0
    write = shortest if digits is None else f"{{:.{digits}f}}".format
    return [
        form % write(number).encode() if is_there else missing
        for number, is_there in zip(numbers.tolist(), there.tolist(), strict=True)
    ]


def _missing(style: Style, place: PlaceholderPlace) -> bytes:
    given = style.missing_text
    if given is None:
        return b"null"
    if place == "value" and NUMBER.fullmatch(given) and not style.as_text:
        return given.encode()
    return quoted(given, place)


def _shortest(value: float) -> str:
    """Return a computed number without the last digits, which are noise."""
    return f"{value:.10g}"


def _writer(value: Value, place: PlaceholderPlace) -> Callable[[Any], bytes]:
    """Return the function that writes one text, time, true or false."""
    style = value.style
    if value.kind == "text":
        return lambda text: quoted(_cased(text, style), place)
    if value.kind == "truth":
        true, false = (_word(word, style, place) for word in style.choice or ("true", "false"))
        return lambda truth: true if truth else false
    number = b'"%d"' if style.as_text and place == "value" else b"%d"
    match style.time:
        case "ms":
            return lambda time_ms: number % time_ms
        case "s":
            digits = style.digits or 0
            form = b'"%s"' if style.as_text and place == "value" else b"%s"
            return lambda time_ms: form % _seconds(time_ms, digits).encode()
        case "local":
            zones = _zones(value)
            return lambda both: quoted(
                _stamp(both // len(zones.names), style.digits or 0, zones.zone(both)), place
            )
        case _:
            return lambda time_ms: quoted(_stamp(time_ms, style.digits or 0, None), place)


def _cased(text: str, style: Style) -> str:
    if style.case is None:
        return text
    return text.upper() if style.case == "upper" else text.lower()


def _word(word: str, style: Style, place: PlaceholderPlace) -> bytes:
    plain = word in ("true", "false", "null") or NUMBER.fullmatch(word)
    if place == "value" and plain and not style.as_text:
        return word.encode()
    return quoted(word, place)


def _seconds(time_ms: int, digits: int) -> str:
    whole, part = divmod(time_ms, 1000)
    return f"{whole}.{f'{part:03}000000'[:digits]}" if digits else str(whole)


def _stamp(time_ms: int, digits: int, zone: ZoneInfo | None) -> str:
    """Return an RFC 3339 time: UTC with Z, or the local time of a zone with its offset."""
    whole, part = divmod(time_ms, 1000)
    at = datetime.fromtimestamp(whole, UTC if zone is None else zone)
    fraction = f".{f'{part:03}000000'[:digits]}" if digits else ""
    text = at.replace(tzinfo=None).isoformat(timespec="seconds")
    if zone is None:
        return f"{text}{fraction}Z"
    offset = at.utcoffset()
    minutes = 0 if offset is None else round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{text}{fraction}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


@dataclass(frozen=True, slots=True, eq=False)
class _Zones:
    names: list[str]
    zones: list[ZoneInfo]
    of_device: NDArray[np.intp]

    def zone(self, both: int) -> ZoneInfo:
        return self.zones[both % len(self.zones)]


def _zones(value: Value) -> _Zones:
    roster = value.fields.roster
    if roster.sites is None:
        offset = value.placeholder.filters[0].offset
        raise TemplateError("the time zones of the sites are not known here", offset)
    names = sorted(set(roster.sites.timezone))
    place = {name: index for index, name in enumerate(names)}
    of_site = np.array([place[name] for name in roster.sites.timezone], np.intp)
    return _Zones(names, [ZoneInfo(name) for name in names], of_site[roster.project])
