"""Settings that the command line gives to a transport, but not to a source of the same type."""

from __future__ import annotations

from collections.abc import Mapping

from gridsim.config.configuration import Configuration
from gridsim.config.text.document import Document

_MISSING = object()


def only_of_transports(document: Document, configuration: Configuration) -> Mapping[str, str]:
    """Return the settings, such as `sources.0.host`, that differ from one set by `--set`.

    They are by the transport's name: a transport without such settings is not in it.
    """
    found = {}
    for transport in configuration.transports:
        of_source = [
            ".".join(map(str, (*source.key_path, path[-1])))
            for path in document.origins
            if path[:-1] == transport.key_path
            for source in configuration.sources
            if source.name.partition("#")[0] == transport.name.partition("#")[0]
            if _differs(transport.settings, source.settings, str(path[-1]))
        ]
        if of_source:
            found[transport.name] = " and ".join(of_source)
    return found


def _differs(one: object, other: object, name: str) -> bool:
    value = getattr(other, name, _MISSING)
    return value is not _MISSING and value != getattr(one, name, value)
