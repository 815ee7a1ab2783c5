"""Readings to files."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated

import numpy as np
from pydantic import Field, field_validator

from gridsim.api import (
    PART_ROWS,
    Batch,
    Format,
    LocalPathTemplate,
    Payloads,
    Receipt,
    Register,
    RunContext,
    RunPeriod,
    Settings,
    Transport,
    TransportError,
    Unit,
    hookimpl,
)
from gridsim_plugins.transports.file.appendfile import OnExisting
from gridsim_plugins.transports.file.fileset import FileOptions, FileSet
from gridsim_plugins.transports.file.paths import PathTemplate, not_regular, unusable


class FileTransportSettings(Settings):
    """Settings of the transport `file`."""

    path: LocalPathTemplate = Field(
        "out/{date}.jsonl",
        description="file to write to, relative to the folder of the configuration; may contain "
        "{date} (the simulated UTC date of the readings), {start} (the start of the simulation), "
        "{project_id}, {der_id}, {type} and {shard} (the number of a shard, such as 0-of-4)",
    )
    rotate_mb: Annotated[float | None, Unit("MB")] = Field(
        None,
        gt=0,
        description="maximum size of a file; it is renamed with the next free number "
        "(x.0001.jsonl) before it exceeds this, with gzip after it has",
    )
    rotate_s: Annotated[float | None, Unit("s")] = Field(
        None,
        gt=0,
        description="simulated time per file, counted from the start of the simulation; a file "
        "is renamed with the next free number after this time, and when a new run begins",
    )
    gzip: bool = Field(
        False,
        description="compress in members of at most 4,096 readings, so that an incomplete file "
        "can be read up to its last whole member; adds .gz to the name",
    )

    on_existing: OnExisting = Field(
        "append",
        description="rule for a file that exists when the run first writes to it: append to it, "
        "replace it and those renamed from it, or fail",
    )
    mode: str = Field(
        "0600",
        description="permissions of new files, in octal as for chmod, for example 0644; not on "
        "Windows",
    )

    def claims(self) -> Iterator[tuple[str, str]]:
        """Yield the file: two transports would cut off each other's lines after an error."""
        path = f"{self.path}.gz" if self.gzip and not self.path.endswith(".gz") else self.path
        yield "path", f"the file {path}"

    def file_problems(self, period: RunPeriod | None) -> Iterator[tuple[str, str]]:
        """Yield the problem of the path, if no file can be written there."""
        problem = unusable(
            self.path,
            gzip=self.gzip,
            on_existing="append" if period and period.is_resumed else self.on_existing,
            start_ms=None if period is None else period.start_ms,
        )
        if problem is not None:
            yield "path", problem

    @field_validator("mode", mode="before")
    @classmethod
    def _octal(cls, value: object) -> object:
        # An integer may be octal or decimal: 0o640 and 416 are the same in TOML.
        if not isinstance(value, str) or not re.fullmatch("0?[0-7]{3}", value):
            raise ValueError('must be a string of three octal digits, for example "0640"')
        if int(value, 8) & 0o600 != 0o600:
            raise ValueError('must let the owner read and write, for example "0640"')
        return value


class File(Transport[FileTransportSettings]):
    """A transport that appends a line per payload; delivered: the operating system has it."""

    Settings = FileTransportSettings
    has_connection = False

    def __init__(self, settings: FileTransportSettings, format: Format, run: RunContext) -> None:
        super().__init__(settings, format, run)
        path = settings.path
        if settings.gzip and not path.endswith(".gz"):
            path += ".gz"
        self._template = PathTemplate(path, run.roster, run.start_ms)
        if format.framing == "project" and self._template.per_der:
            raise ValueError(
                "path: {der_id} and {type} cannot be used with framing 'project', "
                "because its messages contain several DERs"
            )
        self._period_ms = None if settings.rotate_s is None else int(settings.rotate_s * 1000)
        limit = None if settings.rotate_mb is None else max(1, int(settings.rotate_mb * 1e6))
        # A resumed run adds to the files of its first life.
        on_existing: OnExisting = "append" if run.is_resumed else settings.on_existing
        options = FileOptions(
            format.header, settings.gzip, limit, int(settings.mode, 8), on_existing
        )
        self._files = FileSet(options, self._template.resolve)
        self._path = path
        self._has_written = False
        # The bytes are the same however batches are joined, but not where such a file ends.
        if format.framing == "der" and limit is None and not settings.gzip:
            self.rows_at_once = PART_ROWS

    def describe(self) -> str:
        return f"file {self._path}"

    def hint(self) -> str:
        if not len(self.run.roster):
            return ""
        path = shlex.quote(self._template.path(0, self.run.start_ms // 86_400_000))
        return f"zcat {path} | tail" if self.settings.gzip else f"tail -F {path}"

    def connect(self) -> None:
        folder = self._template.folder
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise self._failure(folder, error) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise TransportError(
                f"{folder}: no permission to write here", permanent=not self._has_written
            )
        if len(self.run.roster):
            _check_kind(self._template.path(0, self.run.start_ms // 86_400_000))
        if self.settings.on_existing == "fail" and not self.run.is_resumed:
            # The files of the first day: those of later days are checked when they begin.
            for path in self._template.paths(self.run.start_ms // 86_400_000):
                self._files.check_absent(path)

    def take_over(self, older: File) -> bool:
        self._files, self._has_written = older._files, older._has_written
        self._files.go_on(self._template.resolve)
        return True

    def write(self, batch: Batch, receipt: Receipt) -> None:
        for part, payloads in self.format.encode_parts(batch):
            for path, bodies, period in self._by_file(part, payloads):
                try:
                    self._files.append(path, bodies, period)
                except OSError as error:
                    self._files.roll_back()
                    raise self._failure(path, error) from error
                except TransportError:
                    self._files.roll_back()
                    raise
            self._files.commit()
            self._has_written = True
            receipt.delivered(len(part))

    def close(self) -> None:
        self._files.close()
        if loss := self._files.loss:
            raise TransportError(loss, permanent=True)

    def _failure(self, path: str, error: OSError) -> TransportError:
        """Return the error to raise for a failed operation on `path`.

        After lines have been written, no error is permanent: the folder has changed since then, and
        may change back.
        """
        permanent = not self._has_written and isinstance(
            error, PermissionError | NotADirectoryError | IsADirectoryError | FileExistsError
        )
        return TransportError(f"{path}: {error.strerror or error}", permanent=permanent)

    def _by_file(
        self, part: Batch, payloads: Payloads
    ) -> Iterator[tuple[str, Sequence[bytes], int | None]]:
        """Yield (path, payloads in order, rotation period) for each part that goes to one file."""
        if not payloads.bodies:
            return
        rows = payloads.starts[:-1]
        time_ms = part.timestamp_ms[rows]
        target = self._template.targets(part.device[rows])
        day = self._template.days(time_ms)
        period = np.zeros_like(time_ms)
        if self._period_ms is not None:
            # Late readings go to the period in which they arrive.
            period = np.maximum.accumulate((time_ms - self.run.start_ms) // self._period_ms)
        keys = np.stack((target, day, period))
        bodies = payloads.bodies
        if (keys != keys[:, :1]).any():
            order = np.lexsort(keys[::-1])
            keys = keys[:, order]
            bodies = [payloads.bodies[place] for place in order.tolist()]
        cuts = (np.flatnonzero((keys[:, 1:] != keys[:, :-1]).any(axis=0)) + 1).tolist()
        for first, stop in pairwise([0, *cuts, len(bodies)]):
            path = self._template.path(int(keys[0, first]), int(keys[1, first]))
            yield path, bodies[first:stop], None if self._period_ms is None else int(keys[2, first])


def _check_kind(path: str) -> None:
    """Raise TransportError if a path names a folder, a device, a pipe or a socket."""
    if (problem := not_regular(path)) is not None:
        raise TransportError(f"{path}: {problem}", permanent=True)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.transport("file", File)
