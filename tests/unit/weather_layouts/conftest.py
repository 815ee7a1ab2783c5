"""A weather file in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.weather_layouts.files import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "weather.csv", encoding: str = "utf-8") -> str:
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return str(path)

    return write
