"""The answers that all clients share, made and compressed once until the next tick. With many open
pages an answer is kept a little longer, because each page requests it.
"""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

_MOST = 100
"""The number of answers that are kept."""


@dataclass(frozen=True, slots=True)
class Shared:
    """One answer, for all clients that request it."""

    type: str
    plain: bytes
    compressed: bytes | None
    """The compressed answer; None if it is not compressed, or if the middleware compresses it."""
    etag: str
    headers: Mapping[str, str] = field(default_factory=dict)


class SharedAnswers:
    """The answers about one state of the run. Used from several threads."""

    def __init__(
        self,
        hold_s: Callable[[], float] = lambda: 0.0,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin without an answer. `hold_s` returns the largest age of an answer."""
        self._hold_s = hold_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._state: object = None
        self._since = 0.0
        self._made: dict[object, Shared] = {}

    def held(self, key: object) -> Shared | None:
        """Return the stored answer for a key, even for another state; None if there is none."""
        with self._lock:
            return self._made.get(key) if self._is_held() else None

    def get(
        self,
        state: object,
        key: object,
        type: str,
        make: Callable[[], bytes],
        headers: Mapping[str, str] | None = None,
    ) -> Shared:
        """Return the answer for a key; it is made again when `state` has changed."""
        with self._lock:
            if self._state is not state and not self._is_held():
                self._state, self._made, self._since = state, {}, self._monotonic()
            made = self._made.get(key)
            if made is None:
                plain = make()
                etag = f'"{sha256(plain).hexdigest()[:16]}"'
                made = Shared(type, plain, gzip.compress(plain, 1, mtime=0), etag, headers or {})
                if len(self._made) < _MOST:
                    self._made[key] = made
            return made

    def _is_held(self) -> bool:
        return self._monotonic() - self._since < self._hold_s()
