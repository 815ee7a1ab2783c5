"""The source `newname`: commands from files in a folder.

Replace the folder by the client of your protocol: `serve` posts what arrives, and
`acknowledge` sends the answers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from gridsim.api import (
    Acknowledgement,
    Inbox,
    LocalPath,
    Register,
    Settings,
    Source,
    Target,
    TransportError,
    acknowledgement_json,
    hookimpl,
    read_instruction,
)
from pydantic import Field


class NewNameSettings(Settings):
    """Settings of the source."""

    folder: LocalPath = Field(description="the folder of the files NAME.command")


class NewName(Source[NewNameSettings]):
    """Commands from files: the first line is PROJECT or PROJECT/DER, the rest is JSON."""

    Settings = NewNameSettings

    def describe(self) -> str:
        return f"files in {self.settings.folder}"

    def connect(self) -> None:
        self._folder = Path(self.settings.folder)
        if not self._folder.is_dir():
            # gridsim waits and connects again.
            raise TransportError(f"there is no folder {self._folder}")

    def serve(self, inbox: Inbox, timeout_s: float) -> None:
        for path in sorted(self._folder.glob("*.command")):
            target, _, payload = path.read_bytes().partition(b"\n")
            project_id, _, der_id = target.decode().partition("/")
            inbox.post(read_instruction(payload, Target(project_id, der_id or None)))
            path.unlink()
        time.sleep(timeout_s)

    def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        with (self._folder / "answers.jsonl").open("ab") as file:
            file.writelines(acknowledgement_json(one) + b"\n" for one in acknowledgements)

    def close(self) -> None:
        """Do nothing, because no file stays open."""


@hookimpl
def gridsim_register(register: Register) -> None:
    register.source("newname", NewName)
