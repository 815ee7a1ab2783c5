"""Fields of text in a block of bytes, converted as columns without creating an object for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.pairing import Keys
from gridsim.verify.times import NO_TIME
from gridsim.verify.values import Ints, Small

Bools = NDArray[np.bool_]

_WORD: Final = 8
_LONGEST: Final = 128
"""The largest size of a field that is read, in bytes, including the text before it."""
LONGEST_RUN: Final = 320
"""The largest size of several fields that are read as one, in bytes."""
PAD: Final = LONGEST_RUN + 32
"""The number of bytes that must follow a text, so that its last field can be read like the
others.
"""
_ZERO, _MINUS = 0x30, 0x2D
_ZEROS: Final = np.uint64(0x3030303030303030)
_HIGH: Final = np.uint64(0x8080808080808080)
_ABOVE_NINE: Final = np.uint64(0x7676767676767676)
_POINT: Final = np.uint64(ord(".") ^ _ZERO)
_BYTE: Final = np.uint64(0xFF)
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
# Each step joins neighbouring digits: to pairs, to fours, to eights.
_JOINS: Final = tuple(
    (np.uint64(mask), np.uint64(factor), np.uint64(shift))
    for mask, factor, shift in (
        (0x0F0F0F0F0F0F0F0F, 2561, 8),
        (0x00FF00FF00FF00FF, 6553601, 16),
        (0x0000FFFF0000FFFF, 42949672960001, 32),
    )
)
_FIRST: Final = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
"""The masks of the first bytes of a word, by their number."""
_LAST: Final = np.array([(1 << 64) - (1 << 8 * (8 - size)) for size in range(9)], np.uint64)
"""The masks of the last bytes of a word, by their number."""


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_TRUE, _FALSE, _NULL = _word(b"true"), _word(b"false"), _word(b"null")
_STAMP: Final = b"0000-00-00T00:00:00.000Z"
_MARKS: Final = tuple(_word(_STAMP[at : at + 8]) for at in (0, 8, 16))
# The summand that sets the highest bit of a byte above 9, or above 0 for a mark.
_LIMITS: Final = tuple(
    _word(bytes(0x76 if byte == _ZERO else 0x7F for byte in _STAMP[at : at + 8]))
    for at in (0, 8, 16)
)
_FIRST_YEAR, _YEARS = 1970, 130
_OTHER: Final = re.compile(rb'[\x00-\x1f"\\]')


class ByteFields:
    """The fields of some text at given places, with a fixed text before each."""

    def __init__(
        self,
        data: NDArray[np.uint8],
        start: Ints,
        before: int,
        end: Ints,
        most: int = _LONGEST,
    ) -> None:
        """Read fields; `before` is the size of the text before each, and `start` its place.

        `data` has `PAD` bytes after the last end. `most` is the largest size of a field in bytes,
        including the text before it.
        """
        self.size: Ints = end - start - before
        self.before = before
        longest = int(self.size.max(initial=0))
        self.valid = before + longest <= most and int(self.size.min(initial=0)) >= 0
        """False if a field is too long."""
        wide = before + max(longest, 0) + _WORD
        self._width = min(-(-wide // _WORD) * _WORD, PAD)
        shape = (len(data) - self._width + 1,)
        rows: NDArray[Any] = np.ndarray(shape, f"V{self._width}", data, strides=(1,))
        self._rows = rows[start]
        self._longest, self._shortest = longest, int(self.size.min(initial=0))

    def __len__(self) -> int:
        return len(self.size)

    def at(self, offset: int) -> Keys:
        """Return eight bytes of each field from an offset on; a negative offset is before the
        field.
        """
        place = self.before + offset
        return np.ndarray((len(self),), "<u8", self._rows, place, (self._width,))

    def follow(self, text: bytes) -> bool:
        """Return whether a text is before all fields."""
        for at in range(0, len(text), _WORD):
            part = text[at : at + _WORD]
            found = self.at(at - len(text))
            if len(part) < _WORD:
                found = found & _FIRST[len(part)]
            if (found != _word(part)).any():
                return False
        return True

    def digests(self) -> Keys:
        """Return a 64-bit key of each text; two texts have the same key with a probability of
        5e-20.
        """
        key = self.size.astype(np.uint64)
        for at in range(0, self._longest, _WORD):
            word = self.at(at)
            if self._shortest < at + _WORD:
                word = word & _FIRST[np.maximum(np.minimum(self.size - at, _WORD), 0)]
            word = word ^ key
            word *= _ODD
            word ^= word >> np.uint64(29)
            if self._shortest > at:
                key = word
            else:
                np.copyto(key, word, where=self.size > at)
        return key

    def short(self) -> Keys:
        """Return each text of up to eight bytes as a word; 0 for longer ones."""
        size = self.size
        return np.where(size > _WORD, np.uint64(0), self.at(0) & _FIRST[np.minimum(size, _WORD)])

    def numbers(self, decimals: int) -> tuple[Small, Bools]:
        """Return numbers times 10 to the power of `decimals`, 1 or 2, and whether each is one.

        They have up to eight characters, no exponent and no more than these decimals, and are
        written as JSON demands.
        """
        size = np.minimum(np.maximum(self.size, 1), _WORD)
        valid = self.size == size
        word = self.at(0)
        negative = (word & _BYTE) == _MINUS
        figures = size - negative
        digits = ((word << ((_WORD - size) * 8).astype(np.uint64)) ^ _ZEROS) & _LAST[figures]
        pointed = [(digits >> np.uint64(56 - 8 * place)) & _BYTE == _POINT for place in (1, 2)]
        one, two = pointed[0], pointed[1] & (decimals == 2)
        whole = figures - one * 2 - two * 3
        for place, there in ((1, one), (2, two)):
            if there.any():
                last = _LAST[place]
                closed = (digits & last) | ((digits & ~_LAST[place + 1]) << np.uint64(8))
                digits = closed if there.all() else np.where(there, closed, digits)
        valid &= (((digits + _ABOVE_NINE) | digits) & _HIGH) == 0
        first = (word >> (negative * np.uint64(8))) & _BYTE
        valid &= (whole == 1) | ((whole > 1) & (first != _ZERO))
        for mask, factor, shift in _JOINS:
            digits = ((digits & mask) * factor) >> shift
        value = digits.astype(np.int32)
        if decimals == 2:
            value *= np.where(two, 1, np.where(one, 10, 100)).astype(np.int32)
        else:
            value *= np.where(one, 1, 10).astype(np.int32)
        return np.where(negative, -value, value), valid

    def booleans(self) -> tuple[Small, Bools]:
        """Return true as 1 and false as 0, and whether each is one of these."""
        word = self.at(0)
        true = (self.size == 4) & (word & _FIRST[4] == _TRUE)
        false = (self.size == 5) & (word & _FIRST[5] == _FALSE)
        return true.astype(np.int32), true | false

    def nulls(self) -> tuple[Bools, Bools]:
        """Return whether each is null, and whether each is null in quotes."""
        word = self.at(0)
        quoted = (self.size == 6) & (word & _FIRST[6] == _word(b'"null"'))
        return (self.size == 4) & (word & _FIRST[4] == _NULL), quoted

    def stamps(self) -> list[Keys]:
        """Return the words of a time; the first is 0 if the text is not as long as gridsim's."""
        if self._longest < len(_STAMP):
            return [np.zeros(len(self), np.uint64) for _ in _MARKS]
        words = [self.at(at) for at in (0, 8, 16)]
        words[0] = np.where(self.size == len(_STAMP), words[0], np.uint64(0))
        return words

    def texts(self, rows: NDArray[np.intp]) -> list[str]:
        """Return the texts of some fields."""
        bytes_ = self._rows.view(np.uint8).reshape(len(self), self._width)
        ends = (self.before + self.size[rows]).tolist()
        return [
            bytes_[row, self.before : end].tobytes().decode("utf-8", "replace")
            for row, end in zip(rows.tolist(), ends, strict=True)
        ]


def runs_of_times(fields: ByteFields, read: Callable[[str], int]) -> Ints:
    """Return times in ms since 1970, UTC; fast if most are equal to those before them."""
    words = fields.stamps()
    change = words[0] == 0
    change[:1] = True
    for word in words:
        change[1:] |= word[1:] != word[:-1]
    rows = np.flatnonzero(change)
    found = _parsed(fields, [word[rows] for word in words], rows, read)
    return found if len(rows) == len(change) else found[np.cumsum(change) - 1]


def _parsed(
    fields: ByteFields, words: list[Keys], rows: NDArray[np.intp], read: Callable[[str], int]
) -> Ints:
    found = parse_stamps(words)
    if (others := np.flatnonzero(found == NO_TIME)).size:
        found[others] = list(map(read, fields.texts(rows[others])))
    return found


def digests_of(texts: Sequence[str]) -> Keys:
    """Return the keys of texts as `digests` does; 0 if JSON may write one in another way."""
    data = [text.encode("utf-8", "surrogatepass") for text in texts]
    sizes = np.array([len(one) for one in data], np.int64)
    plain = [len(one) <= _LONGEST // 2 and not _OTHER.search(one) for one in data]
    sizes[~np.array(plain, np.bool_)] = 0
    joined = b"".join(one for one, kept in zip(data, plain, strict=True) if kept)
    ends = np.cumsum(sizes)
    block = np.frombuffer(joined + bytes(PAD), np.uint8)
    keys = ByteFields(block, ends - sizes, 0, ends).digests()
    keys[sizes == 0] = 0
    return keys


def parse_stamps(words: list[Keys]) -> Ints:
    """Return the times of the form 2026-07-14T15:00:00.250Z; NO_TIME for any other text."""
    digits = [word ^ mark for word, mark in zip(words, _MARKS, strict=True)]
    valid = np.ones(len(words[0]), np.bool_)
    for part, limit in zip(digits, _LIMITS, strict=True):
        valid &= (((part + limit) | part) & _HIGH) == 0

    def number(word: int, *places: int) -> Ints:
        value = np.zeros(len(valid), np.uint64)
        for place in places:
            value *= np.uint64(10)
            value += (digits[word] >> np.uint64(8 * place)) & np.uint64(0xF)
        return value.view(np.int64)

    year, month, day = number(0, 0, 1, 2, 3), number(0, 5, 6), number(1, 0, 1)
    hour, minute, second = number(1, 3, 4), number(1, 6, 7), number(2, 1, 2)
    valid &= (year >= _FIRST_YEAR) & (year < _FIRST_YEAR + _YEARS)
    valid &= (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    valid &= (hour < 24) & (minute < 60) & (second < 60)
    index = ((year - _FIRST_YEAR) * 12 + month - 1) * 31 + day - 1
    days = _days()[np.where(valid, index, 0)]
    valid &= days >= 0
    ms: Ints = ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + number(2, 4, 5, 6)
    ms[~valid] = NO_TIME
    return ms


@cache
def _days() -> Ints:
    """Return the days since 1970 by year, month and day up to 31; -1 for a day that does not
    exist.
    """
    epoch = date(1970, 1, 1).toordinal()
    days = np.full(_YEARS * 12 * 31, -1, np.int64)
    for month in range(_YEARS * 12):
        first = date(_FIRST_YEAR + month // 12, month % 12 + 1, 1).toordinal()
        year, following = divmod(month + 1, 12)
        last = date(_FIRST_YEAR + year, following + 1, 1).toordinal()
        days[month * 31 : month * 31 + last - first] = np.arange(first, last) - epoch
    return days
