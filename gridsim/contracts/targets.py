"""The targets of instructions by the names that people use: a DER, a project, a pattern, the
fleet.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import chain

from gridsim.contracts.batch import Roster
from gridsim.contracts.hints import did_you_mean
from gridsim.contracts.instruction_rules import Refused
from gridsim.contracts.instructions import FLEET, Target

_FOR_PATTERNS = ("call_event", "inject_fault")
_FOR_FLEET = (*_FOR_PATTERNS, "cancel_event", "clear_fault")


def find_target(roster: Roster, name: str, action: str) -> tuple[Target, dict[str, list[str]]]:
    """Return the target that a name refers to in an instruction, and the settings that it implies.

    The name is the id of a DER or a project, or PROJECT/DER. For events and faults it may be `*`.
    For an event that is called or a fault that is injected it may be a pattern, which becomes the
    setting `projects` or `ders`. Raises Refused.
    """
    is_pattern = any(sign in name for sign in "*?[")
    if action not in _FOR_FLEET:
        try:
            return _one(roster, name), {}
        except Refused:
            if not is_pattern:
                raise
        raise Refused(f"{action} takes the id of one DER or project, not the pattern {name!r}")
    if name == "*":
        return FLEET, {}
    if not is_pattern:
        return _one(roster, name), {}
    for key, ids in (("projects", roster.project_id), ("ders", roster.der_id)):
        if any(fnmatchcase(id, name) for id in ids):
            if action not in _FOR_PATTERNS:
                raise Refused(f"{action} takes an id or *, not the pattern {name!r}")
            return FLEET, {key: [name]}
    raise Refused(f"there is no DER and no project that matches {name!r} in this configuration")


def _one(roster: Roster, name: str) -> Target:
    """Find a DER or project by its id, or a DER as PROJECT/DER. Raises Refused."""
    project, slash, der = name.rpartition("/")
    ders = [i for i, one in enumerate(roster.der_id) if one == (der if slash else name)]
    is_project = not slash and name in roster.project_id
    if ders and is_project:
        raise Refused(f"{name!r} is both a DER and a project: for the DER write PROJECT/{name}")
    if is_project:
        return Target(name)
    for place in ders:
        owner = roster.project_id[roster.project[place]]
        if not slash or owner == project:
            return Target(owner, roster.der_id[place])
    near = did_you_mean(name, chain(roster.project_id, roster.der_id))
    raise Refused(f"there is no DER and no project {name!r} in this configuration{near}")
