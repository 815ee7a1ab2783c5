"""The user's own message, written as a template."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Format, Framing, Payloads, Register, Roster, TextError, hookimpl
from gridsim_plugins.formats.template.errors import TemplateError
from gridsim_plugins.formats.template.example import example_of
from gridsim_plugins.formats.template.fields import NET, Fields
from gridsim_plugins.formats.template.layout import Layout
from gridsim_plugins.formats.template.parse import parse
from gridsim_plugins.formats.template.pieces import groups_of, rows_of
from gridsim_plugins.formats.template.settings import TemplateSettings

__all__ = ["Template", "TemplateSettings"]


class Template(Format[TemplateSettings]):
    """A message of the user's own shape: JSON with placeholders."""

    Settings = TemplateSettings

    def __init__(self, settings: TemplateSettings, framing: Framing, roster: Roster) -> None:
        super().__init__(settings, framing, roster)
        setting, text = settings.source()
        self._fields = Fields(roster)
        try:
            self._pieces = Layout(self._fields, framing).message(parse(text))
        except TemplateError as error:
            raise TextError(
                error.message,
                setting=(setting,),
                text=text,
                offset=error.offset,
                file=settings.template_file,
                suggestion=error.suggestion,
            ) from error

    def encode(self, batch: Batch) -> Payloads:
        if self.framing == "der":
            return Payloads(rows_of(self._pieces, batch), np.arange(len(batch) + 1))
        starts = batch.groups()
        return Payloads(groups_of(self._pieces, batch, starts), starts)

    def cuts(self, batch: Batch) -> NDArray[np.intp] | None:
        if NET in self._fields.used:
            # The net consumption needs all devices of a project.
            return batch.groups()
        return super().cuts(batch)

    def example(self) -> str:
        return example_of(self, self.roster)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.format("template", Template)
