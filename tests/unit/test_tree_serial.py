"""The serial form of trees: what is written comes back, and anything else is refused."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from gridsim.contracts.tree_serial import VERSION, SerialError, tree_from_bytes, tree_to_bytes

DTYPES = st.one_of(
    stn.boolean_dtypes(),
    stn.integer_dtypes(endianness="="),
    stn.unsigned_integer_dtypes(endianness="="),
    stn.floating_dtypes(endianness="="),
    stn.unicode_string_dtypes(endianness="=", max_len=5),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(),
    stn.arrays(DTYPES, stn.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)
SMALL = tree_to_bytes({"a": np.arange(3.0), "b": [1, "x", None]})


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        alike = (one.dtype, one.shape) == (other.dtype, other.shape)
        return bool(alike and one.tobytes() == other.tobytes())
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", other) or (one != one and other != other)
    return type(one) is type(other) and bool(one == other)


@given(TREES)
def test_a_tree_comes_back(tree: Any) -> None:
    assert same(tree_from_bytes(tree_to_bytes(tree)), tree)


@pytest.mark.parametrize("bad", [2**64, -(2**63) - 1, b"x", (1,), {1: 2}, object(), np.array([{}])])
def test_what_is_not_a_tree_is_not_written(bad: Any) -> None:
    with pytest.raises(SerialError, match="the tree cannot be written"):
        tree_to_bytes({"a": [bad]})


@pytest.mark.parametrize("length", range(len(SMALL)))
def test_cut_off_bytes_are_refused_at_every_length(length: int) -> None:
    with pytest.raises(SerialError, match="cut off"):
        tree_from_bytes(SMALL[:length])


@pytest.mark.parametrize("place", range(24, len(SMALL)))
def test_a_changed_byte_is_noticed(place: int) -> None:
    changed = bytearray(SMALL)
    changed[place] ^= 1
    with pytest.raises(SerialError, match="damaged"):
        tree_from_bytes(bytes(changed))


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"x" * 100, b'{"a": 1}'])
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(SerialError, match="does not begin with gridsim's header"):
        tree_from_bytes(data)


def test_more_bytes_and_other_versions_are_refused() -> None:
    with pytest.raises(SerialError, match="has 2 bytes more"):
        tree_from_bytes(SMALL + b"xx")
    other = SMALL[:8] + struct.pack("<I", VERSION + 1) + SMALL[12:]
    with pytest.raises(SerialError, match=f"has the form 2, but this gridsim reads {VERSION}"):
        tree_from_bytes(other)


def hostile(body: bytes) -> bytes:
    """Bytes with a right head."""
    return SMALL[:12] + struct.pack("<IQ", zlib.crc32(body), len(body)) + body


def extension(data: bytes, code: int = 1) -> bytes:
    return msgspec.msgpack.encode(msgspec.msgpack.Ext(code, data))


def shape(*sizes: int) -> bytes:
    return bytes([len(sizes)]) + b"".join(struct.pack("<q", size) for size in sizes)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "cannot be read"),
        (b"\xc1", "cannot be read"),
        (msgspec.msgpack.encode(b"bytes"), "of the type bytes"),
        (msgspec.msgpack.encode({1: 2}), "the key 1, which is not a text"),
        (b"\x91" * 100_000 + b"\xc0", "cannot be read"),
        (extension(b""), "unknown type 1"),
        (extension(b"x", code=9), "unknown type 9"),
        (extension(b"\x03|O8" + shape(1) + b"12345678"), "array of the unknown type"),
        (extension(b"\x05(2)f8" + shape(1) + b"1" * 16), "array of the unknown type"),
        (extension(b"\x03<f8"), "array of the unknown type"),
        (extension(b"\x03<f8\x05"), "without its shape"),
        (extension(b"\x03<f8\xff" + b"\0" * 3000), "without its shape"),
        (extension(b"\x03<f8" + shape(2) + b"1" * 8), "does not fit its shape"),
        (extension(b"\x03<f8" + shape(-1) + b"1" * 8), "does not fit its shape"),
        (extension(b"\x03<f8" + shape(-1, -1) + b"1" * 8), "does not fit its shape"),
        (extension(b"\x03|S0" + shape(2**40)), "does not fit its shape"),
        (extension(b"\x03<f7" + shape(1) + b"1" * 7), "cannot be read"),
        (extension(b"\x03<\xe9\xe9" + shape(1)), "cannot be read"),
    ],
)
def test_hostile_bytes_are_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(SerialError, match=complaint):
        tree_from_bytes(hostile(body))
