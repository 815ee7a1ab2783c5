"""Members: the devices or sites that one plugin object steps, as columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gridsim.contracts.settings import S
from gridsim.contracts.sites import Sites, protect
from gridsim.helpers.randomness import Draws, Floats, Keys


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Members(Generic[S]):
    """The devices of one fleet, or the sites of one load plugin: n of them.

    A plugin must not depend on other data, nor on the order or number of members: a member has
    the same values in any fleet. Arrays are read-only.
    """

    ids: Sequence[str]
    keys: Keys
    """The identities of the members for random draws, uint64[n]."""
    columns: Mapping[str, Floats]
    """The numeric settings by name, float64[n]; distributions are sampled, None is NaN."""
    settings: Sequence[S]
    """The settings of each stanza, for settings that are not numbers; see `choose`."""
    stanza: NDArray[np.intp]
    """The index of each member into `settings`, intp[n]."""
    site: NDArray[np.intp]
    """The index of each member into the columns of `sites` and of the weather, intp[n]."""
    sites: Sites
    draws: Draws
    start_ms: int
    """The start of the simulation, UTC."""
    tick_ms: int
    wanted: frozenset[str] = frozenset()
    """The measurands that the run wants from DER types; see `Fleet.measurands`."""

    def __post_init__(self) -> None:
        columns = {name: column.view() for name, column in self.columns.items()}
        for column in columns.values():
            column.flags.writeable = False
        object.__setattr__(self, "columns", columns)
        protect(self, ("keys", "stanza", "site"))

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
        """Return `of(settings)` for each member; it is evaluated once per stanza."""
        return np.array([of(settings) for settings in self.settings], dtype)[self.stanza]
