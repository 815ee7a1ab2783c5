"""A plugin that misbehaves is named, with what it did, for each kind and each value."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.api import State, StateError, Stateful
from gridsim.simulation.calling import named
from tests.unit.boundary.culprits import (
    said,
    write,
)
from tests.unit.boundary.misbehaviours import cases

CASES = cases()


@pytest.mark.parametrize(
    ("kind", "code", "slot", "name", "text"),
    CASES,
    ids=[f"{kind}-{slot}-{name}".replace(" ", "_") for kind, _, slot, name, _ in CASES],
)
def test_a_plugin_that_misbehaves_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    code: str,
    slot: str,
    name: str,
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    told = said(write(tmp_path, kind, code, slot, text))
    assert "culprit" in told
    # These are messages for the user, about settings or the far end.
    if slot != "CHECK" and name != "TransportError":
        assert "culprit.py:" in told
    if name.endswith(("nones", "one infinite")):
        assert "HOME_" in told
    assert max(map(len, told.splitlines())) < 1_000
    assert "\x1b" not in told


def test_a_state_that_a_plugin_cannot_return_is_its_error() -> None:
    class Forgetful(Stateful):
        def state(self) -> State:
            raise ValueError("lost")

    with pytest.raises(StateError, match=r"^the load 'odd' failed to return its state: .*lost"):
        named("the load 'odd'", Forgetful())
