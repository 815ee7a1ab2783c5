"""The answers that all clients share: made and compressed once, until the next tick."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

_MOST = 100
"""The number of answers that are kept."""


@dataclass(frozen=True, slots=True)
class Shared:
    """One answer, for all clients that ask for it."""

    plain: bytes
    compressed: bytes
    etag: str


class SharedAnswers:
    """The answers about one state of the run. Used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: object = None
        self._made: dict[object, Shared] = {}

    def get(self, state: object, key: object, make: Callable[[], bytes]) -> Shared:
        """Return the answer for a key, which is made again for another `state`."""
        with self._lock:
            if self._state is not state:
                self._state, self._made = state, {}
            made = self._made.get(key)
            if made is None:
                plain = make()
                etag = f'"{sha256(plain).hexdigest()[:16]}"'
                made = Shared(plain, gzip.compress(plain, 1, mtime=0), etag)
                if len(self._made) < _MOST:
                    self._made[key] = made
            return made
