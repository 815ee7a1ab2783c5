"""Rosters in a spool: their serial form, and the batches of an earlier roster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Roster
from gridsim.contracts.batch import COLUMNS
from gridsim.contracts.tree_serial import SerialError, tree_from_bytes, tree_to_bytes


def roster_to_bytes(roster: Roster) -> bytes:
    """Write a roster, without the places of its projects."""
    return tree_to_bytes(
        {
            "der_id": list(roster.der_id),
            "project": roster.project.astype(np.int64),
            "type": list(roster.type),
            "nameplate_capacity": roster.nameplate_capacity,
            "project_id": list(roster.project_id),
            "is_standalone": roster.is_standalone,
            "columns": dict(roster.columns),
        }
    )


def roster_from_bytes(data: bytes) -> Roster:
    """Read a roster. Raises SerialError if the data is damaged."""
    tree = tree_from_bytes(data)
    try:
        values = cast(dict[str, Any], tree)
        values["project"] = values["project"].astype(np.intp)
        return Roster(**values)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise SerialError(f"the data is not a roster: {error}") from error


class EarlierBatches:
    """The conversion of the batches of an earlier run to the roster of this one."""

    def __init__(self, earlier: Roster, present: Roster, known_faults: int) -> None:
        """Raise ValueError, with the first device, if a device is gone or has changed.

        `known_faults`: the number of message faults that both runs have, by their index.
        """
        self.roster = earlier
        self._present = present
        self._known_faults = known_faults
        place = {one: index for index, one in enumerate(_devices(present))}
        found = [place.get(one, -1) for one in _devices(earlier)]
        if -1 in found:
            gone = found.index(-1)
            others = found.count(-1) - 1
            also = f" and {others:,} more" if others else ""
            raise ValueError(f"{earlier.der_id[gone]}{also}")
        self._place: NDArray[np.intp] = np.array(found, np.intp)

    def converted(self, batch: Batch, number: int) -> Batch:
        """Return a batch with the roster of this run, and with another first number.

        The rows keep their order. Where this configuration has another order of devices, the
        readings of a project and timestamp become several groups.
        """
        device = self._place[batch.device]
        columns = {name: getattr(batch, name) for name in COLUMNS if name != "device"}
        blank = np.full(len(batch), np.nan)
        extra = {name: batch.extra.get(name, blank) for name in self._present.columns}
        labels = batch.labels
        if labels is not None:
            known = labels.altered < self._known_faults
            altered = np.where(known, labels.altered, np.int32(-1))
            altered.flags.writeable = False
            labels = replace(labels, altered=altered)
        for column in (device, *extra.values()):
            column.flags.writeable = False
        return Batch(
            roster=self._present,
            device=device,
            extra=extra,
            number=number,
            labels=labels,
            **columns,
        )


def _devices(roster: Roster) -> list[tuple[object, ...]]:
    """Return the ids and the constants of each device that are in the record."""
    return list(
        zip(
            (roster.project_id[project] for project in roster.project.tolist()),
            roster.der_id,
            roster.type,
            roster.nameplate_capacity.tolist(),
            roster.is_standalone[roster.project].tolist(),
            strict=True,
        )
    )
