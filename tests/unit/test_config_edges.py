"""The configuration at its edges: exact messages, and what a fingerprint depends on."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.config.tables.ledger import fingerprint
from gridsim.config.text.document import Document
from gridsim.config.text.overrides import parse


@pytest.mark.parametrize("text", ["\na=2", "#\na=2", "a\n=2"])
def test_a_key_of_an_override_has_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a valid key; use dots, for example "):
        parse(text)


def test_the_fingerprint_depends_on_the_tables_of_the_truth_and_not_on_their_order() -> None:
    def made(**tables: object) -> str:
        return fingerprint(Document(Path("c.toml"), "", dict(tables)))

    one = made(site={"latitude": 1, "longitude": 2}, events=[{"id": "a"}])
    assert one == made(events=[{"id": "a"}], site={"longitude": 2, "latitude": 1})
    assert one == made(site={"latitude": 1, "longitude": 2}, events=[{"id": "a"}], transports=[1])
    assert one != made(site={"latitude": 1, "longitude": 2}, events=[{"id": "b"}])
    assert one != made(site={"latitude": 1, "longitude": 2})
    assert len(one) == 64
