"""Members: what one plugin object steps together, as columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gridsim.contracts.settings import Settings
from gridsim.contracts.sites import Sites
from gridsim.helpers.randomness import Draws, Floats, Keys

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Members(Generic[S]):
    """The devices of one fleet, or the sites of one load plugin: n of them.

    A plugin may depend on nothing else, and on no order or number of members: the same
    member gives the same values whichever others are there.
    """

    ids: Sequence[str]
    keys: Keys
    """uint64[n], the members' identities for random draws."""
    columns: Mapping[str, Floats]
    """float64[n] for every numeric setting by its name, distributions sampled, None as NaN."""
    settings: Sequence[S]
    """The settings of each stanza, for what is not a number; see `choose`."""
    stanza: NDArray[np.intp]
    """intp[n], each member's index into `settings`."""
    site: NDArray[np.intp]
    """intp[n], each member's index into the columns of `sites` and of the weather."""
    sites: Sites
    draws: Draws
    start_ms: int
    """When the simulation starts, UTC."""
    tick_ms: int

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        few = ", ".join(self.ids[:3]) + (", ..." if len(self) > 3 else "")
        return f"<Members: {len(self):,} ({few}); columns {', '.join(self.columns)}>"

    def some(self, rows: NDArray[np.intp]) -> Members[S]:
        """Return the members `rows` alone, in that order; the sites stay."""
        return replace(
            self,
            ids=[self.ids[row] for row in rows.tolist()],
            keys=self.keys[rows],
            columns={name: column[rows] for name, column in self.columns.items()},
            stanza=self.stanza[rows],
            site=self.site[rows],
        )

    def choose(self, of: Callable[[S], Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
        """`of(settings)` for each member; evaluated once per stanza."""
        return np.array([of(settings) for settings in self.settings], dtype)[self.stanza]
