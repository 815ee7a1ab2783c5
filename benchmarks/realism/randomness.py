"""The random generator against the published known answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.realism.report import Group, holds
from gridsim.helpers.randomness import philox4x32

_SOURCE = "Random123, kat_vectors (Salmon et al. 2011)"
_ANSWERS = (
    ("0" * 32, "0" * 16, "6627e8d5e169c58dbc57ac4c9b00dbd8"),
    ("f" * 32, "f" * 16, "408f276d41c83b0ea20bc7c66d5451fd"),
    ("243f6a8885a308d313198a2e03707344", "a4093822299f31d0", "d16cfe0994fdcceb5001e42024126ea1"),
)


def _words(text: str) -> list[int]:
    return [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]


def run(plots: Path) -> Group:
    checks = []
    for counter, key, answer in _ANSWERS:
        a, b, c, d = (np.array([word], np.uint64) for word in _words(counter))
        k0, k1 = _words(key)
        found = "".join(f"{int(word[0]):08x}" for word in philox4x32(a, b, c, d, (k0, k1)))
        checks.append(holds(f"Philox4x32-10 of {counter[:8]}...", found, _SOURCE, found == answer))
    about = "All that is random comes from one counter-based generator; its known answers."
    return Group("Random numbers", about, checks)
