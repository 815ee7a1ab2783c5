"""The settings of the format `template`."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from pydantic import Field

from gridsim.api import Framing, LocalPath, Settings, TextError
from gridsim_plugins.formats.template.parse import MOST_CHARACTERS

_PLACEHOLDER = re.compile(r"\{([^{}\"]*)\}")
_WORD = re.compile(r"[^\W\d]\w*")
_MOST_BYTES = 4 * MOST_CHARACTERS


class TemplateSettings(Settings):
    """Settings of the format `template`."""

    template: str = Field(
        "",
        description='the message: JSON with placeholders, such as {"kw": "{current_output}"}; '
        "see docs/payloads.md",
    )
    template_file: LocalPath = Field(
        "",
        description="a file with the message instead, UTF-8, relative to the folder of the "
        "configuration",
    )

    measurands: dict[str, str] = Field(
        {},
        description="with framing measurand: the name of each value = its message, such as "
        'power = "{current_output}"; the names are {measurand} in the topic',
    )
    batch_size: int = Field(
        100,
        ge=1,
        le=100_000,
        description="with framing batch: maximum number of readings in a message",
    )

    def check(self, framing: Framing) -> None:
        """Raise ValueError if the settings do not fit the framing."""
        if framing == "measurand":
            if not self.measurands:
                raise ValueError(
                    "format: framing measurand needs measurands, such as measurands = { power = "
                    '"{current_output}" }'
                )
            if self.template or self.template_file:
                raise ValueError("format: framing measurand has measurands and no template")
            if "" in self.measurands:
                raise ValueError("format: the name of a measurand is empty")
        elif self.measurands:
            raise ValueError(f"format: measurands need framing measurand, not {framing}")
        if "batch_size" in self.model_fields_set and framing != "batch":
            raise ValueError(f"format: batch_size needs framing batch, not {framing}")

    def source(self) -> tuple[str, str]:
        """Return the setting that has the template, and its text. Raises ValueError."""
        if self.template and self.template_file:
            raise ValueError("format: set template or template_file, not both")
        if not self.template_file:
            return "template", self.template
        return "template_file", self._file_text()

    def names(self) -> list[str]:
        """Return the words in the placeholders: fields, functions and filters."""
        texts = list(self.measurands.values())
        # The constructor of the format reports a file that cannot be read.
        with suppress(ValueError):
            texts.append(self.source()[1])
        words = (
            word
            for text in texts
            for part in _PLACEHOLDER.findall(text)
            for word in _WORD.findall(part)
        )
        return list(dict.fromkeys(words))

    def _file_text(self) -> str:
        name = self.template_file
        try:
            with Path(name).open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            reason = (
                "does not exist"
                if isinstance(error, FileNotFoundError)
                else (f"cannot be read: {error.strerror}")
            )
            raise ValueError(f"template_file: {name} {reason}") from None
        if len(content) > _MOST_BYTES:
            raise ValueError(f"template_file: {name} is larger than {_MOST_BYTES:,} bytes")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = content[: error.start].decode("utf-8", errors="replace")
            rest = content[error.start :].decode("utf-8", errors="replace")
            raise TextError(
                f"the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8",
                setting=("template_file",),
                text=before + rest,
                offset=len(before),
                file=name,
            ) from None
        return text.replace("\r\n", "\n")
