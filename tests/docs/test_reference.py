"""The pages that scripts write are up to date, and have every public name and attribute."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import gridsim
import gridsim.api
import gridsim.helpers

ROOT = Path(__file__).parents[2]


def loaded(name: str) -> ModuleType:
    """Return a script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return loaded("make_reference")


def test_the_page_is_what_the_script_writes(script: ModuleType) -> None:
    hint = "run: python docs/make_reference.py"
    assert (ROOT / "docs/reference.md").read_text() == script.page(), hint
    assert (ROOT / "docs/python-reference.md").read_text() == script.python_page(), hint


def test_every_public_name_has_a_section(script: ModuleType) -> None:
    page = script.page()
    for module in (gridsim.api, gridsim.helpers):
        assert [name for name in module.__all__ if f"### {name}\n" not in page] == []
    page = script.python_page()
    missing = [name for name in gridsim.__all__ if f"### {name}\n" not in page]
    assert missing == ["__version__"]


def test_it_shows_the_text_of_attributes(script: ModuleType) -> None:
    page = script.page()
    assert "| `start_ms` | `int` | The simulation's start, UTC. |" in page
    assert "| `nameplate_capacity` | `Annotated[float, Unit('kW')]` | rated power;" in page
    assert "- `step(self, tick: DeviceTick) -> float | DeviceReading` (abstractmethod)" in page


@pytest.mark.parametrize("name", ["settings", "tutorials"])
def test_pages_are_what_their_scripts_write(name: str) -> None:
    page = (ROOT / f"docs/{name}.md").read_text()
    assert page == loaded(f"make_{name}").page(), f"run: python docs/make_{name}.py"


def test_the_table_of_measurands_is_what_the_script_writes() -> None:
    text = (ROOT / "docs/measurands.md").read_text()
    assert text == loaded("make_settings").measurands_page(text), "python docs/make_settings.py"
    assert [f"| `{name}` |" in text for name in gridsim.api.MEASURANDS].count(False) == 0
