"""The serial form of a tree of arrays, numbers, texts, lists and maps.

Reading runs no code: the bytes are read as data only, so they need not be trusted.
"""

from __future__ import annotations

import re
import struct
import sys
import zlib
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.state import ARRAY_KINDS, Tree
from gridsim.errors import GridsimError

VERSION = 1
"""The version of the serial form."""

_MAGIC = b"gridsim\0"
# Magic, version, CRC-32 of what follows the head, and its length.
_HEAD = struct.Struct("<8sIIQ")
_ARRAY = 1
_DTYPE = re.compile(rf"[<|][{ARRAY_KINDS}]\d{{1,6}}(\[[A-Za-z0-9]+\])?")
_SHAPE = struct.Struct("<q")
_MOST_DIMENSIONS = 32


class SerialError(GridsimError):
    """Bytes that cannot be read as a tree, or a tree that cannot be written."""


def tree_to_bytes(tree: Tree) -> bytes:
    """Write a tree. Raises SerialError if it holds anything else than the types of a tree."""
    try:
        body = msgspec.msgpack.encode(_checked(tree), enc_hook=_array_out)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SerialError(f"the tree cannot be written: {error}") from error
    return _HEAD.pack(_MAGIC, VERSION, zlib.crc32(body), len(body)) + body


def tree_from_bytes(data: bytes) -> Tree:
    """Read a tree; its arrays are the caller's own. Raises SerialError."""
    if len(data) < _HEAD.size:
        if _MAGIC.startswith(data[: len(_MAGIC)]) or data.startswith(_MAGIC):
            raise SerialError(f"the data is cut off: {len(data)} bytes, less than a header")
        raise SerialError("the data does not begin with gridsim's header")
    magic, version, crc, length = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise SerialError("the data does not begin with gridsim's header")
    if version != VERSION:
        raise SerialError(f"the data has the form {version}, but this gridsim reads {VERSION}")
    body = memoryview(data)[_HEAD.size :]
    if len(body) < length:
        raise SerialError(f"the data is cut off: {len(body):,} of {length:,} bytes are there")
    if len(body) > length:
        raise SerialError(f"the data has {len(body) - length:,} bytes more than it should")
    if zlib.crc32(body) != crc:
        raise SerialError("the data is damaged: its checksum differs")
    try:
        tree: Tree = msgspec.msgpack.decode(body, ext_hook=_array_in)
        return _checked(tree)
    except (msgspec.DecodeError, TypeError, ValueError, RecursionError) as error:
        raise SerialError(f"the data cannot be read: {error}") from error


def _array_out(value: NDArray[Any]) -> msgspec.msgpack.Ext:
    if value.dtype.kind not in ARRAY_KINDS:
        raise TypeError(f"there is an array of the type {value.dtype}")
    little = np.ascontiguousarray(value).reshape(value.shape)
    little = little.astype(little.dtype.newbyteorder("<"), copy=False)
    dtype = little.dtype.str.replace("=", "<").encode()
    shape = b"".join(_SHAPE.pack(size) for size in value.shape)
    head = bytes([len(dtype)]) + dtype + bytes([value.ndim]) + shape
    return msgspec.msgpack.Ext(_ARRAY, head + little.tobytes())


def _array_in(code: int, data: memoryview) -> NDArray[Any]:
    if code != _ARRAY or len(data) < 1:
        raise ValueError(f"there is an extension of the unknown type {code}")
    end = 1 + data[0]
    dtype = bytes(data[1:end]).decode("ascii")
    if not _DTYPE.fullmatch(dtype) or end >= len(data):
        raise ValueError(f"there is an array of the unknown type {dtype!r}")
    dimensions = data[end]
    start = end + 1 + dimensions * _SHAPE.size
    if dimensions > _MOST_DIMENSIONS or start > len(data):
        raise ValueError("there is an array without its shape")
    shape = [_SHAPE.unpack_from(data, end + 1 + i * _SHAPE.size)[0] for i in range(dimensions)]
    kind = np.dtype(dtype)
    count = 1
    for size in shape:
        count *= size
    if min(shape, default=0) < 0 or not kind.itemsize or count * kind.itemsize != len(data) - start:
        raise ValueError(f"there is an array whose length does not fit its shape {shape}")
    array = np.frombuffer(data[start:], kind).reshape(shape).copy()
    return array if sys.byteorder == "little" else array.astype(kind.newbyteorder("="))


def _checked(tree: Any) -> Tree:
    """Return the tree. Raises ValueError if it holds a type that a tree may not; msgpack has more
    types.
    """
    if isinstance(tree, dict):
        for key, value in tree.items():
            if not isinstance(key, str):
                raise ValueError(f"there is a map with the key {key!r}, which is not a text")
            _checked(value)
    elif isinstance(tree, list):
        for value in tree:
            _checked(value)
    elif not isinstance(tree, bool | int | float | str | np.ndarray | None):
        raise ValueError(f"there is a value of the type {type(tree).__name__}")
    return tree  # type: ignore[no-any-return]
