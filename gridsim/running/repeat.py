"""A run repeated from its ledger: the same seed, start, ticks, instructions and bytes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gridsim.api import Instruction, Target, rfc3339
from gridsim.config.text.document import Document
from gridsim.contracts.instruction_json import restore_instruction
from gridsim.contracts.shard import Shard
from gridsim.errors import UsageError
from gridsim.ledger import About, Reader
from gridsim.running.inbox import RecordedInbox
from gridsim.running.plan import Options, Plan, make_plan
from gridsim.version import __version__


def make_repeat_plan(options: Options, ledger: Path) -> Plan:
    """Return the plan that repeats the run of a ledger, without its sources.

    Raises UsageError if the ledger cannot be read, or if the repeated run would differ. The
    message names the different configuration, version or plugin.
    """
    if options.resume:
        raise UsageError(
            "--resume: error: --repeat starts at the first tick and keeps no checkpoint; leave out "
            "one of the two"
        )
    flags = options.flags
    for name in ("duration", "shard", "seed", "start", "until", "epoch"):
        if getattr(options if name in ("duration", "shard") else flags, name) is not None:
            raise UsageError(f"--{name}: error: --repeat takes it from the ledger: leave it out")
    with Reader(ledger) as reader:
        meta = reader.meta
        _check(ledger, "gridsim", meta["gridsim"], __version__)
        if reloads := reader.rows("SELECT tick FROM reloads ORDER BY tick"):
            raise UsageError(
                f"--repeat {ledger}: error: the configuration of the run was reloaded at tick "
                f"{reloads[0][0]:,}, and the ledger does not have the configurations: such a run "
                "cannot be repeated"
            )
        flags = replace(
            flags,
            seed=meta["seed"],
            start=rfc3339(meta["start_ms"]),
            speed=0.0 if flags.speed is None else flags.speed,
            # The real time of that run is over.
            epoch="",
        )
        shard = Shard(meta["shard"], meta["shards"]) if "shards" in meta else None
        # The ledger that the configuration names may be the one that is repeated.
        plan = make_plan(replace(options, flags=flags, shard=shard, adapt=_endless), files="inputs")
        assert plan.about is not None
        _check_configuration(ledger, meta, plan.about)
        faults = {f"fault {fault.type}" for fault in reader.faults()}
        _check_plugins(ledger, json.loads(meta["plugins"]), plan.about.plugins, faults)
        ticks = meta["ticks"] or reader.rows("SELECT ifnull(max(tick), -1) + 1 FROM batches")[0][0]
        if not ticks:
            raise UsageError(f"--repeat {ledger}: error: the ledger has no tick")
        recorded = RecordedInbox(_instructions(reader))
    own = plan.ledger
    if own is not None and own.path.resolve() == ledger.resolve():
        # The configuration names the ledger that is repeated; do not overwrite it.
        own = None
    return replace(plan, ticks=ticks, sources=(), ledger=own, recorded=recorded, checkpoint=None)


def _endless(document: Document) -> Document:
    """Return the document without the end of the run, which the ledger has."""
    table = document.data.get("simulation")
    has_until = isinstance(table, dict) and "until" in table
    return document.without([("simulation", "until")]) if has_until else document


def _instructions(reader: Reader) -> Mapping[int, list[Instruction]]:
    """Return the instructions by the tick that received them, in order."""
    instructions: defaultdict[int, list[Instruction]] = defaultdict(list)
    query = "SELECT tick, instruction, project_id, der_id, source FROM instructions"
    for tick, text, project, der, source in reader.rows(f"{query} ORDER BY tick, sequence"):
        target = Target(project, der)
        instructions[tick].append(restore_instruction(text.encode(), target, source))
    return instructions


def _check_configuration(ledger: Path, meta: Mapping[str, Any], about: About) -> None:
    _check(ledger, "tick_ms", meta["tick_ms"], about.scenario.tick_ms)
    if meta["configuration"] != about.configuration_hash:
        raise UsageError(
            f"--repeat {ledger}: error: the ledger is of another configuration: sites, weather, "
            "projects, events or faults differ"
        )


def _check_plugins(
    ledger: Path, theirs: Mapping[str, str], ours: Mapping[str, str], injected: set[str]
) -> None:
    """Compare the plugins that the run used; compare only the faults that it had."""
    for name, identity in theirs.items():
        if name.startswith("fault ") and name not in injected:
            continue
        if name.startswith("format ") and name not in ours:
            continue
        _check(ledger, f"the plugin {name}", identity, ours.get(name, "not installed"))


def _check(ledger: Path, what: str, theirs: object, ours: object) -> None:
    if theirs != ours:
        raise UsageError(f"--repeat {ledger}: error: {what} was {theirs} then and is {ours} now")
