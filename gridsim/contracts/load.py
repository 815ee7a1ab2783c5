"""Load: what sites draw apart from their DERs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from gridsim.contracts.members import Members
from gridsim.contracts.settings import Settings
from gridsim.contracts.state import Stateful
from gridsim.contracts.tick import Tick
from gridsim.helpers.randomness import Floats


class Load(Stateful, ABC):
    """The contract of a load plugin: what sites draw apart from their DERs.

    One object serves all sites that name the plugin. Called once per tick from the
    simulation's thread. A checkpoint keeps the object's attributes, as `Stateful` says, except
    for `derived`.
    """

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, members: Members[Any]) -> None:
        self.members = members

    @abstractmethod
    def at(self, tick: Tick) -> Floats:
        """Gross load over the tick: float64[n], kW, not negative."""

    @abstractmethod
    def expected(self, time_ms: int) -> Floats:
        """What the load is expected to be at UTC `time_ms`: float64[n], kW; the baseline."""
