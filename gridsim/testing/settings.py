"""What every plugin's settings must have."""

from __future__ import annotations

from gridsim.api import Settings


def assert_described(settings: type[Settings]) -> None:
    silent = [name for name, info in settings.model_fields.items() if not info.description]
    assert not silent, f"these settings have no description: {silent}"
