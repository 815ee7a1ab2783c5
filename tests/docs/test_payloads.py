"""The messages of docs/payloads.md are those that its templates give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gridsim.running.plan import Options, make_plan

from .test_pages import completed

PAGE = (Path(__file__).parents[2] / "docs/payloads.md").read_text()
PAIRS = re.findall(
    r"^```toml\n((?:(?!^```).)*)^```(?:(?!^```toml).)*?^```(?:json|text)\n(.*?)^```",
    PAGE,
    re.MULTILINE | re.DOTALL,
)


def test_each_template_has_a_message() -> None:
    assert len(PAIRS) == PAGE.count("```toml") == 6


@pytest.mark.parametrize(("template", "message"), PAIRS)
def test_the_message_is_that_of_the_template(template: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "page.toml"
    path.write_text(completed(template))
    [transport] = make_plan(Options(config=path)).transports
    assert transport.format.example() + "\n" == message
