"""The check of the settings of every plugin."""

from __future__ import annotations

from gridsim.api import Settings


def assert_described(settings: type[Settings]) -> None:
    missing = [name for name, info in settings.model_fields.items() if not info.description]
    assert not missing, f"these settings have no description: {missing}"
