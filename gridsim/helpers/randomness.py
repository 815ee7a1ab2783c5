"""Random numbers as a pure function of (seed, identity, purpose, slot).

There is no generator state: a number depends on its identity, purpose and slot of time, never
on earlier draws or on other devices. The generator is
Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3,
SC 2011), vectorised over identities and slots.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
# The words of a block stay in the processor's cache, which makes 100,000 of them half as fast
# again; for few of them the blocks cost more than they save.
_BLOCK, _LARGE = 8_192, 32_768
# The size of the cache of keys by purpose. Some purposes contain a time, so their number has no
# limit.
_REMEMBERED = 1024


def philox4x32(
    c0: Keys, c1: Keys, c2: Keys, c3: Keys, key: tuple[int, int]
) -> tuple[Keys, Keys, Keys, Keys]:
    """Return four words of 32 bits, as uint64, for each counter: Philox4x32-10.

    The counter words are uint64 arrays that broadcast against each other, with values below
    2**32; `key` is two integers below 2**32.
    """
    # The first comparison is quick, for the many small draws.
    if c0.size * c2.size <= _LARGE or (size := np.broadcast(c0, c1, c2, c3).size) <= _LARGE:
        return _rounds(c0, c1, c2, c3, key)
    counters = np.broadcast_arrays(c0, c1, c2, c3)
    flat = [words.reshape(-1) for words in counters]
    results = [np.empty(size, np.uint64) for _ in flat]
    for first in range(0, size, _BLOCK):
        block = slice(first, first + _BLOCK)
        b0, b1, b2, b3 = (words[block] for words in flat)
        for result, words in zip(results, _rounds(b0, b1, b2, b3, key), strict=True):
            result[block] = words
    r0, r1, r2, r3 = (result.reshape(counters[0].shape) for result in results)
    return r0, r1, r2, r3


def _rounds(
    c0: Keys, c1: Keys, c2: Keys, c3: Keys, key: tuple[int, int]
) -> tuple[Keys, Keys, Keys, Keys]:
    k0, k1 = key
    for _ in range(10):
        p0 = c0 * _M0
        p1 = c2 * _M1
        c0, c1, c2, c3 = (
            (p1 >> _32) ^ c1 ^ np.uint64(k0),
            p1 & _LOW,
            (p0 >> _32) ^ c3 ^ np.uint64(k1),
            p0 & _LOW,
        )
        k0 = (k0 + _W0) & 0xFFFFFFFF
        k1 = (k1 + _W1) & 0xFFFFFFFF
    return c0, c1, c2, c3


def identity(name: str) -> int:
    """Return the 64-bit key of a named thing, the same in every process and on every platform."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


def identities(names: Iterable[str]) -> Keys:
    """Return the keys of many names, uint64[n]."""
    return np.fromiter((identity(name) for name in names), np.uint64)


def mixed(keys: Keys, salt: ArrayLike) -> Keys:
    """Return other keys for the same things, uint64[n]; `salt` is one for all, or [n].

    It is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
    generators, OOPSLA 2014), applied to the sum of the key and the finalised salt.
    """
    # At least one dimension: scalars would warn of the overflow, which is intended.
    salted = _finalised(np.atleast_1d(np.asarray(salt)).astype(np.uint64) + _GAMMA)
    return _finalised(keys + salted)


def _finalised(words: Keys) -> Keys:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class Draws:
    """The random draws of one seed; `keys` and `slot` broadcast against each other.

    `purpose` names the use of the number and must be unique: prefix it with the name of the
    plugin. `slot` is an integer that numbers the draws of a purpose: a minute, a session, a day.
    """

    seed: int
    _purposes: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False, compare=False)

    def uniform4(self, purpose: str, keys: ArrayLike, slot: ArrayLike = 0) -> Floats:
        """Return four independent uniforms in (0, 1), float64[4, ...]."""
        return _uniforms(np.stack(self._words(purpose, keys, slot)))

    def uniform(self, purpose: str, keys: ArrayLike, slot: ArrayLike = 0) -> Floats:
        """Return uniforms in (0, 1)."""
        return _uniforms(self._words(purpose, keys, slot)[0])

    def normal(self, purpose: str, keys: ArrayLike, slot: ArrayLike = 0) -> Floats:
        """Return standard normal deviates, by the Box-Muller transform."""
        u = self.uniform4(purpose, keys, slot)
        deviates: Floats = np.sqrt(-2.0 * np.log(u[0])) * np.cos(2.0 * np.pi * u[1])
        return deviates

    def generator(self, purpose: str, key: int, slot: int = 0) -> np.random.Generator:
        """Return a NumPy generator for one identity and slot."""
        k0, k1 = self._key(purpose)
        bits = np.random.Philox(
            key=np.array([k0 | k1 << 32, key], np.uint64),
            counter=np.array([0, 0, 0, slot & 0xFFFFFFFFFFFFFFFF], np.uint64),
        )
        return np.random.Generator(bits)

    def _words(
        self, purpose: str, keys: ArrayLike, slot: ArrayLike
    ) -> tuple[Keys, Keys, Keys, Keys]:
        key = np.asarray(keys, np.uint64)
        at = np.asarray(slot, np.int64).astype(np.uint64)
        return philox4x32(key & _LOW, key >> _32, at & _LOW, at >> _32, self._key(purpose))

    def _key(self, purpose: str) -> tuple[int, int]:
        known = self._purposes.get(purpose)
        if known is None:
            if len(self._purposes) >= _REMEMBERED:
                self._purposes.clear()
            word = identity(f"{self.seed}/{purpose}")
            known = self._purposes[purpose] = (word & 0xFFFFFFFF, word >> 32)
        return known


def _uniforms(words: Keys) -> Floats:
    """Convert words of 32 bits to numbers in (0, 1)."""
    uniforms: Floats = (words.astype(np.float64) + 0.5) * 2.0**-32
    return uniforms
