"""The part of a configuration that one shard of a run simulates, and what shards must not share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Target, identities, identity
from gridsim.config.configuration import Configuration
from gridsim.config.text.load import Document
from gridsim.config.text.locate import KeyPath
from gridsim.config.text.report import Problem
from gridsim.contracts.instructions import FLEET
from gridsim.contracts.shard import Shard, projects_of
from gridsim.errors import UsageError
from gridsim.simulation.scenario import Scenario


class ShardDivision:
    """The division of a run's projects into shards, as one of the shards needs it."""

    def __init__(self, shard: Shard, scenario: Scenario, *, answers: bool = True) -> None:
        """Find the projects of the shard. Raises UsageError if there are too few in all.

        With `answers` the shard takes instructions, so that it needs to know who answers them.
        """
        roster = scenario.roster
        devices = np.bincount(roster.project, minlength=len(roster.project_id))
        try:
            projects = projects_of(shard, devices.tolist())
        except ValueError as error:
            raise UsageError(f"--shard: error: {error}") from None
        self.scenario = scenario if shard.is_whole else scenario.subset(projects)
        """The scenario of the shard's projects."""
        ids = (*roster.project_id, *roster.der_id)
        self.fingerprint = "" if shard.is_whole else _digest(ids, devices)
        """A digest of all projects and their numbers of devices."""
        own = self.scenario.roster
        self._is_whole, self._answers_for_none = shard.is_whole, shard.index == 0
        # Hashes, because the ids of a million devices would take a hundred times the memory.
        answers &= not shard.is_whole
        self._own = _keys((*own.project_id, *own.der_id) if answers else ())
        self._every = _keys(ids if answers and self._answers_for_none else ())

    def check_kept(self, fingerprint: str) -> None:
        """Raise UsageError if a reload would give projects to other shards."""
        if fingerprint != self.fingerprint:
            raise UsageError(
                "a reload cannot add or remove projects or DERs in a run of several shards: it "
                "would move projects from one shard to another; restart the shards"
            )

    def is_for(self, target: Target) -> bool:
        """Return whether this shard answers instructions for a target.

        All shards answer for the fleet. The first answers for what is in no shard.
        """
        if self._is_whole or target == FLEET:
            return True
        name = target.project_id or target.der_id or ""
        key = np.array(identity(name), np.uint64)
        if _has(self._own, key):
            return True
        return self._answers_for_none and not _has(self._every, key)


def _keys(ids: Iterable[str]) -> NDArray[np.uint64]:
    return np.sort(identities(ids))


def _has(keys: NDArray[np.uint64], key: NDArray[np.uint64]) -> bool:
    place = int(np.searchsorted(keys, key))
    return place < len(keys) and bool(keys[place] == key)


def _digest(ids: Iterable[str], devices: NDArray[np.intp]) -> str:
    digest = hashlib.sha256(devices.tobytes())
    for one in ids:
        digest.update(one.encode(errors="surrogatepass") + b"\0")
    return digest.hexdigest()


def shared_by_shards(
    document: Document, configuration: Configuration, claims: Iterable[tuple[KeyPath, str]]
) -> Iterator[Problem]:
    """Yield a problem for each file or name that all shards of the run would use.

    `claims` are those of transports and sources, each with its key.
    """
    shard, all_claims = document.shard, list(claims)
    if (checkpoint := configuration.checkpoint) is not None:
        all_claims.append((("checkpoint", "path"), f"the folder {checkpoint.path}"))
    for path, claim in all_claims:
        if not shard.has_own(claim):
            yield document.problem(
                path,
                f"{path[-1]!r}: all {shard.count} shards would use {claim}; add {{shard}} to the "
                "setting, so that each has its own",
            )


def beyond_reach(
    document: Document, needs: Iterable[tuple[KeyPath, str]], *, shares_machine: bool
) -> Iterator[Problem]:
    """Yield a problem for each thing of one machine that shards on other machines would need.

    `needs` are `Settings.only_here` of the transports and sources, each with its key.
    """
    execution = document.data.get("execution")
    table = execution if isinstance(execution, dict) else {}
    if not document.shard.is_whole:
        why = "" if shares_machine else "with --shard, other shards may run on other machines"
    elif table.get("engine") == "ray" and table.get("address"):
        why = "the shards run on the machines of the cluster that 'address' names"
    else:
        why = ""
    if why:
        for path, need in needs:
            yield document.problem(path, f"{path[-1]!r}: {why}: {need}")
