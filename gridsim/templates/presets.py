"""The presets: configurations for the platforms that readings are often sent to.

Each is a folder in `presets/` with a `gridsim.toml`, and with the files that belong to it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from gridsim.contracts.hints import choose_from
from gridsim.errors import UsageError, printable
from gridsim.wholefile import whole_file

PRESETS: Final[Mapping[str, str]] = {
    "aws-iot": "AWS IoT Core: a thing and its shadow for each device",
    "azure-iot-hub": "Azure IoT Hub: a connection for each device",
    "emqx": "EMQX Cloud: TLS, with user name and password",
    "evcc": "evcc: meters and a charger that it controls",
    "grid-stream": "Grid Stream: a JSON array for each project",
    "hivemq": "HiveMQ Cloud: TLS, with user name and password",
    "home-assistant": "Home Assistant: sensors, energy and controls for each device",
    "thingsboard": "ThingsBoard: a gateway for all devices",
    "thingsboard-devices": "ThingsBoard: a connection for each device",
}
"""The presets, each with a description."""

_CONFIG = "gridsim.toml"
_ENVIRONMENT = "env"
"""The template of the file `.env`."""
_OWN: Final = (".env", "credentials.csv")
"""The files that the user fills in: only he may read them, and nothing replaces them."""


def write_preset(name: str, path: Path, *, force: bool) -> list[Path]:
    """Write the files of a preset and return their paths, the configuration first.

    `path` is the configuration if it ends in .toml, and otherwise its folder. With `force`, files
    that are already there are replaced, except those that the user has filled in. Raises
    UsageError.
    """
    if name not in PRESETS:
        hint = choose_from(name, PRESETS)
        raise UsageError(f"gridsim init: error: --for: no preset '{printable(name)}'{hint}")
    texts = _texts(name, path)
    kept = [one for one in texts if os.path.lexists(one)]
    if kept and not force:
        raise UsageError(
            f"{kept[0]}: error: the file already exists and was not changed; name another folder, "
            f"or replace all files but {' and '.join(_OWN)} with --force"
        )
    for one, text in texts.items():
        if one not in kept or one.name not in _OWN:
            _write(one, text)
    return list(texts)


def _texts(name: str, path: Path) -> dict[Path, str]:
    """Return the texts of a preset's files by their paths."""
    config = path if path.suffix == ".toml" else path / _CONFIG
    texts = {config: ""}
    for source in sorted(files("gridsim.templates").joinpath("presets", name).iterdir(), key=str):
        text = source.read_text(encoding="utf-8")
        if source.name == _CONFIG:
            # The schema is not written with it: `gridsim schema --write` does that.
            texts[config] = text.removeprefix("#:schema ./gridsim.schema.json\n#\n")
        elif source.name == _ENVIRONMENT:
            texts[config.with_name(".env")] = text
        else:
            texts[config.with_name(source.name)] = "".join(
                line.replace("{token}", secrets.token_hex(10))
                for line in text.splitlines(keepends=True)
            )
    return texts


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name in _OWN:
            path.touch(mode=0o600)
        with whole_file(path) as new:
            new.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = "Not a directory" if isinstance(error, FileExistsError) else error.strerror
        raise UsageError(f"{path}: error: cannot be written: {reason}") from error
