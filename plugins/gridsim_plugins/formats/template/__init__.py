"""The user's own message, written as a template."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Format, Framing, Payloads, Register, Roster, TextError, hookimpl
from gridsim_plugins.formats.template.errors import TemplateError
from gridsim_plugins.formats.template.example import example_of
from gridsim_plugins.formats.template.fields import NET, Fields
from gridsim_plugins.formats.template.layout import Layout, measurand
from gridsim_plugins.formats.template.parse import parse
from gridsim_plugins.formats.template.pieces import Piece, groups_of, rows_of
from gridsim_plugins.formats.template.settings import TemplateSettings

__all__ = ["Template", "TemplateSettings"]


class Template(Format[TemplateSettings]):
    """A message in the user's own form: JSON with placeholders, or bare values."""

    Settings = TemplateSettings
    framings: ClassVar[tuple[Framing, ...]] = ("der", "project", "measurand", "batch")

    @classmethod
    def wants(cls, settings: TemplateSettings) -> Collection[str]:
        """Return all names in the placeholders, so that columns are computed only if needed."""
        return settings.names()

    def __init__(self, settings: TemplateSettings, framing: Framing, roster: Roster) -> None:
        super().__init__(settings, framing, roster)
        settings.check(framing)
        self.batch_size = settings.batch_size
        self.measurands = tuple(settings.measurands)
        self._fields = Fields(roster)
        if framing == "measurand":
            self._messages = [
                _compiled(text, ("measurands", name), lambda text: measurand(text, self._fields))
                for name, text in settings.measurands.items()
            ]
            return
        setting, text = settings.source()
        layout = Layout(self._fields, framing)
        file = settings.template_file
        self._messages = [
            _compiled(text, (setting,), lambda text: layout.message(parse(text)), file)
        ]

    def encode(self, batch: Batch) -> Payloads:
        starts = self.starts(batch)
        if self.framing in ("project", "batch"):
            return Payloads(groups_of(self._messages[0], batch, starts), starts)
        if len(self._messages) == 1:
            return Payloads(rows_of(self._messages[0], batch), starts)
        count = len(self._messages)
        bodies = [b""] * (len(batch) * count)
        for place, pieces in enumerate(self._messages):
            bodies[place::count] = rows_of(pieces, batch)
        return Payloads(bodies, starts)

    def cuts(self, batch: Batch) -> NDArray[np.intp] | None:
        if NET not in self._fields.used:
            return super().cuts(batch)
        # The net consumption needs all devices of a project.
        return np.array([0, len(batch)]) if self.framing == "batch" else batch.groups()

    def example(self) -> str:
        return example_of(self, self.roster)


def _compiled(
    text: str, setting: tuple[str, ...], compile: Callable[[str], list[Piece]], file: str = ""
) -> list[Piece]:
    """Return the pieces of a template. Raises TextError."""
    try:
        return compile(text)
    except TemplateError as error:
        raise TextError(
            error.message,
            setting=setting,
            text=text,
            offset=error.offset,
            file=file,
            suggestion=error.suggestion,
        ) from error


@hookimpl
def gridsim_register(register: Register) -> None:
    register.format("template", Template)
