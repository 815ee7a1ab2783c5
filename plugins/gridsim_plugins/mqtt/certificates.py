"""The check of certificate files before a connection."""

from __future__ import annotations

import ssl
from collections.abc import Iterator


def certificate_problems(ca_file: str, cert_file: str, key_file: str) -> Iterator[tuple[str, str]]:
    """Yield a setting and the problem for each file that TLS could not use; an empty text is not a
    file.
    """
    names = {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file}
    unread = {name: problem for name, path in names.items() if (problem := _unread(path))}
    yield from unread.items()
    if ca_file and "ca_file" not in unread:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_file)
        except (OSError, ValueError):
            yield "ca_file", f"cannot be used: {ca_file} has no certificates in PEM"
    if cert_file and not unread.keys() & {"cert_file", "key_file"}:
        try:
            # Without the empty password, OpenSSL would ask for one on the terminal.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_cert_chain(cert_file, key_file or None, "")
        except (OSError, ValueError) as error:
            files = " and ".join(path for path in (cert_file, key_file) if path)
            yield "cert_file", f"cannot be used: {files}: {_reason(error)}"


def _unread(path: str) -> str | None:
    """Return the reason why a file cannot be read, or None."""
    try:
        if path:
            with open(path, "rb") as file:
                file.read(1)
    except OSError as error:
        return f"cannot be used: {path}: {error.strerror or error}"
    return None


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return "the key does not belong to the certificate"
    if reason is None:
        return "not a certificate and its key in PEM"
    return str(reason).lower().replace("_", " ")
