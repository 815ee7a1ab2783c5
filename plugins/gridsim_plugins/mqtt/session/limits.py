"""The limits of the operating system for the connections of this process."""

from __future__ import annotations

import errno
import sys

from gridsim.api import TransportError

_RESERVE = 64
"""The file descriptors reserved for other uses: files, the log, other transports."""
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_NO_PORTS = (errno.EADDRNOTAVAIL, errno.EADDRINUSE)


def allow_descriptors(connections: int) -> None:
    """Raise the soft limit of file descriptors as far as needed and permitted.

    Raises TransportError with the number of possible connections if the limit is too low.
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
            f"{connections} connections need {wanted} file descriptors (with {_RESERVE} for other "
            f"uses), but the system permits {soft} (ulimit -Hn): {fits} connections would fit",
            permanent=True,
        )


def exhausted(error: OSError, connections: int, wanted: int) -> TransportError | None:
    """Return the error for a lack of descriptors or ports; None if `error` is another."""
    if error.errno in _NO_DESCRIPTORS:
        what = "file descriptors (ulimit -n)"
    elif error.errno in _NO_PORTS:
        what = "source ports to this address (net.ipv4.ip_local_port_range on Linux)"
    else:
        return None
    return TransportError(
        f"no {what} are left: only {connections} of {wanted} connections fit", permanent=True
    )
