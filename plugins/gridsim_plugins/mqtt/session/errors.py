"""What went wrong with a broker, said once and clearly."""

from __future__ import annotations

import socket
import ssl

from paho.mqtt.reasoncodes import ReasonCode

from gridsim.api import TransportError

# MQTT 5 reason codes, to which paho also translates the return codes of 3.1.1.
BAD_VERSION = 0x84
TAKEN_OVER = 0x8E
_REFUSALS = {
    0x84: "does not speak MQTT {protocol}; set protocol to the other version",
    0x85: "does not accept the client id",
    0x86: "rejects the user name or password",
    0x87: "does not authorise this client; check the user name and password",
    0x88: "is unavailable",
    0x89: "is busy",
    0x8A: "has banned this client",
    0x8C: "wants another authentication method",
}
_PASSING = {0x80, 0x83, 0x88, 0x89, 0x97, 0x9F}

# OpenSSL's X509_V_ERR_ codes.
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 9, 10, 62, 64


def refused(code: int, name: str, where: str, protocol: str) -> TransportError:
    """The broker answered the CONNECT with a failure."""
    said = _REFUSALS.get(code, f"refuses the connection: {name}").format(protocol=protocol)
    return TransportError(f"the broker at {where} {said}", permanent=code not in _PASSING)


def unreachable(error: Exception, where: str, timeout_s: float) -> TransportError:
    """Connecting the socket, or its TLS handshake, failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TransportError(f"TLS to {where}: {_distrust(error)}", permanent=True)
    if isinstance(error, ssl.SSLEOFError | ConnectionResetError):
        return TransportError(f"{where} hangs up in the TLS handshake; does this port expect TLS?")
    if isinstance(error, ssl.SSLError):
        return tls_failure(str(error), where)
    if isinstance(error, socket.gaierror):
        return TransportError(f"cannot resolve the host name of {where}: {error.strerror}")
    if isinstance(error, UnicodeError):
        return TransportError(f"{where} has no valid host name", permanent=True)
    if isinstance(error, TimeoutError):
        return TransportError(f"{where} does not answer within {timeout_s:g} s")
    if isinstance(error, ConnectionRefusedError):
        return TransportError(f"nothing listens at {where}: connection refused")
    return TransportError(f"cannot connect to {where}: {spoken(error)}")


def tls_failure(said: str, where: str) -> TransportError:
    """OpenSSL's words for a failed handshake, or for an alert that came after it."""
    lower = said.replace("_", " ").lower()
    if "wrong version number" in lower or "record layer failure" in lower:
        return TransportError(f"{where} does not speak TLS at this port", permanent=True)
    if "certificate required" in lower or "handshake failure" in lower:
        return TransportError(
            f"TLS to {where}: the broker asks for a client certificate (cert_file, key_file)",
            permanent=True,
        )
    if "alert" in lower and ("unknown ca" in lower or "certificate" in lower):
        return TransportError(
            f"TLS to {where}: the broker does not accept the client certificate: {said}",
            permanent=True,
        )
    if "eof occurred" in lower:
        return TransportError(f"{where} hangs up after the TLS handshake")
    return TransportError(f"TLS to {where} failed: {said}")


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == _EXPIRED:
        return "the broker's certificate has expired"
    if error.verify_code == _NOT_YET_VALID:
        return "the broker's certificate is not yet valid"
    if error.verify_code in (_WRONG_NAME, _WRONG_ADDRESS):
        return f"the broker's certificate is for another host: {error.verify_message}"
    return f"the broker's certificate is not trusted (ca_file): {error.verify_message}"


def reason_name(kind: int, reason: int) -> str:
    """MQTT 5's name of a reason code in a packet that starts with the byte `kind`."""
    try:
        return str(ReasonCode(kind >> 4, identifier=reason))
    except KeyError:
        return f"reason code 0x{reason:02x}"


def spoken(error: Exception) -> str:
    """An error's own words, without its number."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
