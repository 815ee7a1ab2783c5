"""The counter-based generator against its published answers, and what follows from it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from gridsim.helpers.randomness import Draws, identities, identity, philox4x32

ONES = 0xFFFFFFFF


def word(value: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.array([value], np.uint64)


# Random123's kat_vectors, philox4x32 with 10 rounds.
@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 4, (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_answers(
    counter: tuple[int, ...], key: tuple[int, int], answer: tuple[int, ...]
) -> None:
    a, b, c, d = (word(value) for value in counter)
    assert tuple(int(x[0]) for x in philox4x32(a, b, c, d, key)) == answer


def test_a_draw_depends_on_nobody_else() -> None:
    draws = Draws(42)
    keys = identities(f"DER_{i}" for i in range(1000))
    all_of_them = draws.uniform("x", keys, 7)
    some = draws.uniform("x", keys[::-3], 7)
    assert (some == all_of_them[::-3]).all()


@pytest.mark.parametrize("n", [32_768, 32_769, 40_960])
def test_a_draw_is_the_same_among_many(n: int) -> None:
    keys, some = np.arange(n, dtype=np.uint64), [0, 8_191, 8_192, n - 1]
    every = Draws(1).uniform4("purpose", keys, 7)
    np.testing.assert_array_equal(every[:, some], Draws(1).uniform4("purpose", keys[some], 7))
    slots = np.arange(n // 2)
    grid = Draws(1).uniform("purpose", keys[:3, None], slots)
    assert grid.shape == (3, n // 2)
    np.testing.assert_array_equal(grid[2], Draws(1).uniform("purpose", keys[2], slots))


def test_slots_may_differ_by_identity() -> None:
    draws = Draws(42)
    keys = identities(["a", "b"])
    both = draws.uniform("x", keys, np.array([3, 4]))
    assert both[0] == draws.uniform("x", keys, 3)[0]
    assert both[1] == draws.uniform("x", keys, 4)[1]


@pytest.mark.parametrize("other", [("y", 7, 42), ("x", 8, 42), ("x", -7, 42), ("x", 7, 43)])
def test_purpose_slot_and_seed_each_change_the_draw(other: tuple[str, int, int]) -> None:
    keys = identities(f"DER_{i}" for i in range(100))
    purpose, slot, seed = other
    assert not (Draws(seed).uniform(purpose, keys, slot) == Draws(42).uniform("x", keys, 7)).any()


def test_uniforms_are_uniform_and_normals_normal() -> None:
    keys = identities(f"DER_{i}" for i in range(100_000))
    u = Draws(1).uniform4("x", keys)
    assert u.min() > 0
    assert u.max() < 1
    # Means of n uniforms scatter by sqrt(1 / 12 n) = 0.0009; four of them by half of that.
    assert abs(u.mean() - 0.5) < 0.003
    assert np.abs(np.corrcoef(u) - np.eye(4)).max() < 0.02
    z = Draws(1).normal("x", keys)
    assert abs(z.mean()) < 0.015
    assert abs(z.std() - 1) < 0.015


def test_a_generator_is_of_one_identity_and_slot() -> None:
    draws = Draws(42)
    key = identity("DER_1")
    first = draws.generator("x", key, 5).random(8)
    assert (draws.generator("x", key, 5).random(8) == first).all()
    assert not (draws.generator("x", key, 6).random(8) == first).any()
    assert not (draws.generator("x", identity("DER_2"), 5).random(8) == first).any()


def test_purposes_without_end_fill_no_memory() -> None:
    draws = Draws(7)
    first = draws.uniform("event.0", 1)
    for n in range(5000):
        draws.uniform(f"event.{n}", 1)
    assert len(pickle.dumps(draws)) < 100_000
    assert draws.uniform("event.0", 1) == first
