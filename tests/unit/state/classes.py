"""Classes with a state, and a state through its bytes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any, ClassVar

import numpy as np

from gridsim.api import Draws, Stateful
from gridsim.contracts.state import State
from gridsim.contracts.tree_serial import tree_from_bytes, tree_to_bytes
from gridsim.testing import make_sites


class Mode(Enum):
    IDLE = 1
    HEATING = 2


class Level(IntEnum):
    LOW = 3


@dataclass(frozen=True, slots=True)
class Point:
    at_ms: int
    value: float
    marks: tuple[int, ...] = ()


@dataclass
class Counter:
    """Its code must not run when it is restored."""

    count: int = 0
    history: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.count >= 0, "restored by its constructor"


class Part(Stateful):
    def __init__(self) -> None:
        self.power = np.zeros(2)


class Machine(Stateful):
    derived: ClassVar[Collection[str]] = ("_cache", "_log")

    def __init__(self) -> None:
        self.sites = make_sites()
        self.draws = Draws(1)
        self.value: Any = None
        self.part = Part()
        self.parts = [Part(), Part()]
        self._cache = {"old": 1}
        self._log = print


def through_bytes(state: State) -> State:
    tree = tree_from_bytes(tree_to_bytes(state))
    assert isinstance(tree, dict)
    return tree


def again(machine: Machine) -> Machine:
    made = type(machine)()
    made.restore(through_bytes(machine.state()))
    return made
