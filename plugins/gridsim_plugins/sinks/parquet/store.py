"""The place of the finished files: a local folder, or a file system of fsspec."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Protocol

from gridsim_plugins.sinks.parquet.settings import ParquetSettings

_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "memory"})
"""The protocols whose files appear as a whole."""


class Store(Protocol):
    """A place of files."""

    root: str
    """The place, for messages."""

    def check(self) -> None:
        """Raise an error if the place cannot be reached."""

    def scratch(self, target: str, journal: str) -> str:
        """Return a local path for a file that gets the place `target`."""

    def put(self, scratch: str, target: str) -> None:
        """Put a whole local file in its place, and remove the local one."""


class FolderStore:
    """A local folder."""

    def __init__(self, root: str) -> None:
        self.root = root

    def check(self) -> None:
        os.makedirs(self.root, exist_ok=True)

    def scratch(self, target: str, journal: str) -> str:
        path = os.path.join(self.root, target)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # A reader of the folder leaves out names that begin with a dot.
        return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.part")

    def put(self, scratch: str, target: str) -> None:
        with open(scratch, "rb") as file:
            os.fsync(file.fileno())
        os.replace(scratch, os.path.join(self.root, target))


class UrlStore:
    """A file system of fsspec."""

    def __init__(self, settings: ParquetSettings) -> None:
        """Raise ValueError if the package of the file system is missing."""
        try:
            import fsspec

            self._protocol = settings.url.partition("://")[0]
            kind = fsspec.get_filesystem_class(self._protocol)
        except ImportError as error:
            missing = "" if error.name is None else f": pip install {error.name}"
            raise ValueError(f"url: {error}{missing}") from error
        options: dict[str, Any] = dict(settings.storage_options)
        if settings.access_key:
            options |= {
                "key": settings.access_key,
                "secret": settings.secret_key.get_secret_value(),
            }
        self.root = settings.url
        self._kind, self._options = kind, options
        self._made: Any = None

    @property
    def _files(self) -> Any:
        if self._made is None:
            self._made = self._kind(**self._options, skip_instance_cache=True)
        return self._made

    def check(self) -> None:
        self._files.invalidate_cache()
        # A prefix that does not exist yet is fine; a server that does not answer raises.
        with suppress(FileNotFoundError):
            self._files.ls(self.root)

    def scratch(self, target: str, journal: str) -> str:
        return os.path.join(journal, f"{os.path.basename(target)}.part")

    def put(self, scratch: str, target: str) -> None:
        url = f"{self.root}/{target}"
        if self._protocol in _OBJECT_STORES:
            self._files.put_file(scratch, url)
        else:
            self._files.makedirs(url.rpartition("/")[0], exist_ok=True)
            self._files.put_file(scratch, f"{url}.part")
            self._files.mv(f"{url}.part", url)
        os.remove(scratch)


def store_of(settings: ParquetSettings) -> FolderStore | UrlStore:
    """Return the place that the settings name."""
    return UrlStore(settings) if settings.url else FolderStore(settings.path)
