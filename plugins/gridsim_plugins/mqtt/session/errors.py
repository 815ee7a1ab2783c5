"""The error messages of connections to a broker."""

from __future__ import annotations

import socket
import ssl

from gridsim.api import TransportError
from gridsim_plugins.mqtt.session.reasons import reason_name

# MQTT 5 reason codes; paho translates the return codes of 3.1.1 to them.
BAD_VERSION = 0x84
TAKEN_OVER = 0x8E
_REFUSALS = {
    0x84: "does not support MQTT {protocol}; set protocol to the other version",
    0x85: "does not accept the client id",
    0x86: "rejects the user name or password",
    0x87: "does not authorise this client; check the user name and password",
    0x88: "is unavailable",
    0x89: "is busy",
    0x8A: "has banned this client",
    0x8C: "requires another authentication method",
    0x9A: "does not keep retained messages: set retain = false, also that of the will",
    0x9B: "does not support this QoS, also that of the will; set qos to a lower value",
}
_TEMPORARY = {0x80, 0x83, 0x88, 0x89, 0x97, 0x9F}

_CONNACK = 0x20
_LAST_RETURN_CODE = 5

# OpenSSL's X509_V_ERR_ codes.
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 9, 10, 62, 64


_NEEDS_CERTIFICATE = "the broker asks for a client certificate (cert_file, key_file)"


def refused(code: int, where: str, protocol: str, return_code: int = 0) -> TransportError:
    """Return the error of a CONNACK with a failure.

    `return_code` is the number of MQTT 3.1.1; paho knows 0 to 5 only.
    """
    reason = reason_name(_CONNACK, code)
    if return_code > _LAST_RETURN_CODE:
        reason = f"return code {return_code}, which MQTT 3.1.1 does not define"
    unlisted = f"refuses the connection: {reason}"
    cause = _REFUSALS.get(code, unlisted).format(protocol=protocol)
    return TransportError(f"the broker at {where} {cause}", permanent=code not in _TEMPORARY)


def unreachable(error: Exception, where: str, timeout_s: float) -> TransportError:
    """Return the error of a socket that failed to connect, or in its TLS handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TransportError(f"TLS to {where}: {_certificate_error(error)}", permanent=True)
    if isinstance(error, ssl.SSLEOFError | ConnectionResetError):
        return TransportError(
            f"{where} closes the connection in the TLS handshake; perhaps this port does not use "
            "TLS"
        )
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
    return TransportError(f"cannot connect to {where}: {error_text(error)}")


def no_mqtt(where: str, protocol: str, cause: str) -> TransportError:
    """Return the error of an answer to CONNECT that is not a CONNACK of this version of MQTT.

    paho answers a CONNACK of MQTT 3.1.1 that refuses the version with a protocol error.
    """
    advice = "; perhaps it supports another version only (protocol)" if protocol == "3.1.1" else ""
    return TransportError(
        f"{where} does not answer in MQTT {protocol}: {cause}{advice}", permanent=True
    )


def no_connack(where: str, *, uses_tls: bool, retained_will: bool) -> TransportError:
    """Return the error of a connection that was closed before the CONNACK.

    In MQTT 3.1.1 a broker cannot refuse a will, or too many connections, in another way.
    """
    causes = [_NEEDS_CERTIFICATE] if uses_tls else ["the port expects TLS"]
    causes.append("the broker has reached its limit of connections")
    if retained_will:
        causes.append('it keeps no retained messages, and the will has "retain = true"')
    return TransportError(
        f"{where} closes the connection without an answer; perhaps {', or '.join(causes)}: the "
        "broker's log has the reason"
    )


def tls_failure(text: str, where: str) -> TransportError:
    """Return the error of a TLS handshake or alert, from OpenSSL's error text."""
    lower = text.replace("_", " ").lower()
    if "wrong version number" in lower or "record layer failure" in lower:
        return TransportError(f"{where} does not use TLS on this port", permanent=True)
    if "certificate required" in lower or "handshake failure" in lower:
        needs = _NEEDS_CERTIFICATE
        if "certificate required" not in lower:
            needs = f"{text}; perhaps {needs}"
        return TransportError(f"TLS to {where}: {needs}", permanent=True)
    if "alert" in lower and ("unknown ca" in lower or "certificate" in lower):
        return TransportError(
            f"TLS to {where}: the broker does not accept the client certificate: {text}",
            permanent=True,
        )
    if "eof occurred" in lower:
        return TransportError(f"{where} closes the connection after the TLS handshake")
    return TransportError(f"TLS to {where} failed: {text}")


def _certificate_error(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == _EXPIRED:
        return "the broker's certificate has expired"
    if error.verify_code == _NOT_YET_VALID:
        return "the broker's certificate is not yet valid"
    if error.verify_code in (_WRONG_NAME, _WRONG_ADDRESS):
        return f"the broker's certificate is for another host: {error.verify_message}"
    return f"the broker's certificate is not trusted (ca_file): {error.verify_message}"


def error_text(error: Exception) -> str:
    """Return an error's text without its number."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)


def cause_of_end(error: Exception) -> str:
    """Return why an open connection has ended.

    A broker that closes a connection with bytes unread causes a reset instead of an end, so the
    same close may appear as either.
    """
    text = error_text(error)
    if isinstance(error, ConnectionResetError | BrokenPipeError | ssl.SSLEOFError):
        return f"the broker closed the connection ({text})"
    return text
