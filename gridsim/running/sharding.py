"""The part of a configuration that one shard of a run simulates, and what shards must not share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from gridsim.config.configuration import Configuration
from gridsim.config.text.load import Document
from gridsim.config.text.locate import KeyPath
from gridsim.config.text.report import Problem
from gridsim.contracts.shard import Shard, projects_of
from gridsim.errors import UsageError
from gridsim.simulation.scenario import Scenario


def scenario_of(shard: Shard, configuration: Configuration) -> Scenario:
    """Return the scenario of a shard's projects. Raises UsageError if there are too few."""
    scenario = configuration.scenario
    if shard.is_whole:
        return scenario
    roster = scenario.roster
    devices = np.bincount(roster.project, minlength=len(roster.project_id))
    try:
        return scenario.subset(projects_of(shard, devices.tolist()))
    except ValueError as error:
        raise UsageError(f"--shard: error: {error}") from None


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
