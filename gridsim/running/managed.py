"""A run as a context manager."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class ManagedRun(ABC):
    """A run that `with` starts and stops."""

    @abstractmethod
    def start(self) -> None:
        """Connect all, and start the ticks."""

    @abstractmethod
    def stop(self) -> None:
        """Stop the ticks, and close all. A second call does nothing."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()
