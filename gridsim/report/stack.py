"""The stacked picture of a fleet: what feeds the sites above zero, what draws below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from gridsim.api import Floats

LOAD_STYLE = "load-area"


@dataclass(frozen=True, slots=True)
class Layer:
    """An area between two lines, kW."""

    name: str
    """A DER type; empty: the load of the sites."""
    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class Stack:
    """The areas of a fleet, as on the page of a run: the load is the first one below zero."""

    kw: Mapping[str, Floats]
    load_kw: Floats | None

    def layers(self) -> Iterator[Layer]:
        """Yield the areas that are not empty."""
        if self.load_kw is not None:
            yield Layer("", np.zeros_like(self.load_kw), -self.load_kw)
        for part, start in ((np.maximum, None), (np.minimum, self.load_kw)):
            below = np.zeros(self._length) if start is None else -start
            for name, kw in self.kw.items():
                above = below + part(np.nan_to_num(kw), 0.0)
                if (above != below).any():
                    yield Layer(name, below, above)
                below = above

    @property
    def net_kw(self) -> Floats | None:
        """The net power of the sites: above zero they feed the grid."""
        if self.load_kw is None:
            return None
        outputs = sum(map(np.nan_to_num, self.kw.values()), np.zeros(self._length))
        return outputs - self.load_kw

    @property
    def extent(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        lines = [line for layer in self.layers() for line in (layer.lower, layer.upper)]
        low = min((float(np.nanmin(line, initial=0.0)) for line in lines), default=0.0)
        return low, max((float(np.nanmax(line, initial=0.0)) for line in lines), default=0.0)

    @property
    def _length(self) -> int:
        if self.load_kw is not None:
            return len(self.load_kw)
        return max((len(kw) for kw in self.kw.values()), default=0)
