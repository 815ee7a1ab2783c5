"""The commands that stay in a reload."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import replace

import numpy as np

from gridsim.api import Acknowledgement, Floats, Staying, Tick, carry
from gridsim.contracts.carrying import carried_array
from gridsim.simulation.answers import answer
from gridsim.simulation.commands.accepted import AcceptedCommand
from gridsim.simulation.commands.book import CommandBook
from gridsim.simulation.commands.effects import Effects
from gridsim.simulation.commands.targets import Level, ResolvedTarget

LEFT = "the configuration was reloaded, and its target was removed or changed"


def carry_commands(
    new: CommandBook, older: CommandBook, devices: Staying, sites: Staying, tick: Tick
) -> list[Acknowledgement]:
    """Copy the commands, waiting and in force; return the ends of those without a target.

    A command to a project acts on the devices that it acted on before.
    """
    new.ids = older.ids
    new._later, new._number = [*older._later], older._number
    new._power = _column(new._power, older._power, devices)
    new._soc = _column(new._soc, older._soc, devices)
    new._meter = _column(new._meter, older._meter, sites)
    moved: dict[int, AcceptedCommand] = {}
    ended: list[Acknowledgement] = []
    queues = (older._waiting, older._ends, older._edges)
    every = [*(item[2] for queue in queues for item in queue), *older._force]
    for entry in {id(one): one for one in every}.values():
        aim = _moved(entry.aim, devices, sites)
        if aim is not None:
            moved[id(entry)] = replace(entry, aim=aim)
        elif not entry.reached:
            ended.append(answer(entry.command, "cancelled", tick, LEFT))
    new._waiting = [(at, n, moved[id(one)]) for at, n, one in older._waiting if id(one) in moved]
    new._ends = [(at, n, moved[id(one)]) for at, n, one in older._ends if id(one) in moved]
    new._edges = [(at, n, moved[id(one)]) for at, n, one in older._edges if id(one) in moved]
    heapq.heapify(new._waiting)
    heapq.heapify(new._ends)
    heapq.heapify(new._edges)
    new._planned = Counter(one.command.target for *_, one in new._waiting if one.planned)
    for one in older._force:
        if id(one) in moved:
            new._force.enter(moved[id(one)])
    _carry_effects(new._effects, older._effects, devices, sites)
    return ended


def _column(new: Floats | None, older: Floats | None, staying: Staying) -> Floats | None:
    return new if new is None or older is None else carried_array(new, older, staying)


def _moved(aim: ResolvedTarget, devices: Staying, sites: Staying) -> ResolvedTarget | None:
    """Return what a command acts on after the reload; None: nothing is left of it."""
    of: dict[Level, Staying] = {"site": sites, "project": devices, "device": devices}
    level, owner = aim.owner
    place = int((devices if level == "device" else sites).new_of_old[owner])
    places = of[aim.level].new_of_old[aim.places]
    left = places >= 0
    if place < 0 or not left.any():
        return None
    return replace(
        aim, owner=(level, place), places=places[left], values=aim.values[:, np.flatnonzero(left)]
    )


def _carry_effects(new: Effects, older: Effects, devices: Staying, sites: Staying) -> None:
    for (level, slot), lines in older._lines.items():
        carry(new._at(level, slot), lines, sites if level == "site" else devices)
    for level, targets in older._storage.items():
        carry(new._targets_at(level), targets, devices)
