"""How many connections this process may have."""

from __future__ import annotations

import errno
import sys

from gridsim.api import TransportError

_RESERVE = 64
"""Descriptors for everything else: files, the log, other transports."""
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_NO_PORTS = (errno.EADDRNOTAVAIL, errno.EADDRINUSE)


def allow_descriptors(connections: int) -> None:
    """Raises the soft limit of descriptors as far as needed and allowed.

    Raises TransportError, with the number that would fit, where that is not enough.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _RESERVE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard == resource.RLIM_INFINITY or hard > soft:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < wanted:
        fits = max(soft - _RESERVE, 0)
        raise TransportError(
            f"{connections} connections need as many file descriptors, and {_RESERVE} for the "
            f"rest, but the system allows {soft} (ulimit -Hn): {fits} connections would fit",
            permanent=True,
        )


def exhausted(error: OSError, connections: int, wanted: int) -> TransportError | None:
    """If there is nothing left to make another connection of: says how many there are."""
    if error.errno in _NO_DESCRIPTORS:
        what = "file descriptors (ulimit -n)"
    elif error.errno in _NO_PORTS:
        what = "source ports to this address (net.ipv4.ip_local_port_range on Linux)"
    else:
        return None
    return TransportError(
        f"no {what} are left: {connections} of {wanted} connections fit", permanent=True
    )
