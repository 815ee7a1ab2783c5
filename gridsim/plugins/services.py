"""The services that the plugins of one run share."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gridsim.api import Service, ServiceT
from gridsim.errors import PluginError


class Services:
    """One object for each key, made on first use and closed with the run."""

    def __init__(self) -> None:
        # Reentrant: a factory may ask for another service.
        self._lock = threading.RLock()
        self._made: dict[str, Service] = {}
        self._closed = False

    def __enter__(self) -> Services:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, key: str, factory: Callable[[], ServiceT]) -> ServiceT:
        """Return the object for `key`, made by `factory` if there is none; from any thread.

        Raises PluginError once the services are closed.
        """
        with self._lock:
            if self._closed:
                raise PluginError(f"the service {key!r} is not available: the run has ended")
            found = self._made.get(key)
            if found is None:
                found = factory()
                self._made[key] = found
            # A key stands for one factory, and so for one type.
            return found  # type: ignore[return-value]

    def close(self) -> None:
        """Close every service, the newest first; no service is made afterwards.

        A service that fails to close does not keep the others open; its error is raised at
        the end.
        """
        with self._lock:
            self._closed = True
            made, self._made = list(self._made.values()), {}
        errors = []
        for service in reversed(made):
            try:
                service.close()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]
