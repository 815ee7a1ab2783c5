"""The commands in force: one of each kind on a target applies, the others wait below it."""

from __future__ import annotations

from collections.abc import Iterator

from gridsim.simulation.commands.accepted import AcceptedCommand
from gridsim.simulation.commands.targets import Level, Slot

Key = tuple[Level, int, Slot]
"""A target and a kind of command, see `ResolvedTarget.key`."""


class InForce:
    """The commands that have begun and not ended.

    At each key, the one of the highest stack level applies. There is at most one of each level.
    """

    def __init__(self) -> None:
        self.applied: dict[Key, AcceptedCommand] = {}
        self.below: dict[Key, list[AcceptedCommand]] = {}
        """The others, in the order of their levels; no list is empty."""

    def __len__(self) -> int:
        return len(self.applied) + sum(map(len, self.below.values()))

    def __iter__(self) -> Iterator[AcceptedCommand]:
        yield from self.applied.values()
        for entries in self.below.values():
            yield from entries

    def __contains__(self, entry: AcceptedCommand) -> bool:
        key = entry.aim.key
        return self.applied.get(key) is entry or entry in self.below.get(key, ())

    def applies(self, entry: AcceptedCommand) -> bool:
        """Return whether this command has the highest level at its key."""
        return self.applied.get(entry.aim.key) is entry

    def enter(self, entry: AcceptedCommand) -> AcceptedCommand | None:
        """Add a command. Return the one of the same level, which it replaces."""
        key, level = entry.aim.key, entry.command.stack_level
        older = self.applied.get(key)
        # Mostly all have one level.
        if key not in self.below and (older is None or older.command.stack_level == level):
            self.applied[key] = entry
            return older
        every = self._take(key)
        same = next((one for one in every if one.command.stack_level == level), None)
        self._set([*(one for one in every if one is not same), entry])
        return same

    def leave(self, entry: AcceptedCommand) -> None:
        """Remove a command; the next lower one applies."""
        self._set([one for one in self._take(entry.aim.key) if one is not entry])

    def _take(self, key: Key) -> list[AcceptedCommand]:
        applied = self.applied.pop(key, None)
        return [*self.below.pop(key, ()), *([] if applied is None else [applied])]

    def _set(self, entries: list[AcceptedCommand]) -> None:
        if entries:
            *below, applied = sorted(entries, key=lambda one: one.command.stack_level)
            self.applied[applied.aim.key] = applied
            if below:
                self.below[applied.aim.key] = below
