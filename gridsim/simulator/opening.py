"""Opening a configuration for a simulation alone: no transport, source, view or file is made."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gridsim.config.configuration import Configuration
from gridsim.config.resolve import Flags, resolve
from gridsim.config.text.environment import gather
from gridsim.config.text.load import Content, read
from gridsim.errors import UsageError
from gridsim.plugins.registry import Registry
from gridsim.running.plan import load_plugins_of
from gridsim.simulator.times import Time, plain_value, time_text

ConfigSource = str | os.PathLike[str] | Mapping[str, Any]
"""The path of a TOML file; TOML text, which has a line break; or its tables as a dict."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenedConfiguration:
    """A checked configuration, and the plugins that it can use."""

    name: str
    configuration: Configuration
    registry: Registry


def source_of(config: ConfigSource) -> tuple[Path, Content | None]:
    """Return the name of a configuration, and its content unless it is a file.

    Raises UsageError or TypeError.
    """
    if isinstance(config, Mapping):
        return Path("<dict>"), config
    if isinstance(config, str) and ("\n" in config or not config):
        return Path("<text>"), config
    if isinstance(config, str | os.PathLike):
        path = Path(config)
        if isinstance(config, str) and "=" in config and not path.exists():
            raise UsageError(
                f"{config}: there is no such file. If this is TOML text, end it with a line break"
            )
        return path, None
    raise TypeError(
        "config must be the path of a TOML file, TOML text of several lines, or a dict, "
        f"not {type(config).__name__}"
    )


def open_configuration(
    config: ConfigSource,
    *,
    seed: int | None,
    start: Time | None,
    overrides: Sequence[str],
    plugins: Sequence[str | os.PathLike[str]],
) -> OpenedConfiguration:
    """Read and check a configuration. Raises UsageError with all errors."""
    path, content = source_of(config)
    document = read(path, content, overrides=overrides, environment=gather(Path.cwd()))
    document, host = load_plugins_of(document, tuple(Path(one) for one in plugins))
    given = {
        "seed": plain_value(seed),
        "start": None if start is None else time_text(start, "start"),
    }
    for name, value in given.items():
        if value is not None:
            document = document.overlaid(("simulation", name), value, f"{name}={value!r}")
    configuration = resolve(
        document,
        host.registry,
        now_ms=time.time_ns() // 1_000_000,
        flags=Flags(),
        files="inputs",
        simulation_only=True,
    )
    return OpenedConfiguration(str(path), configuration, host.registry)
