"""The transports that need a package say how to install it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from gridsim.api import Transport
from gridsim.testing import PlainFormat, make_run


@pytest.mark.parametrize(
    ("module", "name", "settings", "package"),
    [
        ("postgres", "Postgres", {"database": "x"}, "psycopg"),
        ("parquet", "Parquet", {}, "pyarrow"),
        ("kafka", "Kafka", {}, "confluent-kafka"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    module: str,
    name: str,
    settings: dict[str, Any],
    package: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = import_module(f"gridsim_plugins.sinks.{module}")
    monkeypatch.setattr(found, "find_spec", lambda name: None)
    kind: type[Transport[Any]] = getattr(found, name)
    chosen = kind.Settings.model_validate(settings)
    run = make_run()
    text = rf"^needs {package}, which is not installed: pip install 'gridsim-der\[{module}\]'$"
    with pytest.raises(ValueError, match=text):
        kind(chosen, PlainFormat(chosen, "der", run.roster), run)
