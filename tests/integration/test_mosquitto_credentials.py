"""Credentials for each device, on a real Mosquitto that allows a device its own topics only."""

from __future__ import annotations

import subprocess
from pathlib import Path

from gridsim.testing import RecordingReceipt, make_batch
from tests.integration.conftest import Brokers, MakeTransport
from tests.integration.mosquitto import Mosquitto


def test_each_device_is_known_by_its_own_certificate_or_password(
    commands: dict[str, str], brokers: Brokers, make_transport: MakeTransport, tmp_path: Path
) -> None:
    """The third device has the certificate of a stranger, and a wrong password."""
    authority = brokers.authority
    server = authority.issue("mutual", "IP:127.0.0.1")
    passwords, access = tmp_path / "passwords", tmp_path / "access"
    passwords.touch(mode=0o600)
    access.write_text("pattern write %u/#\n")
    access.chmod(0o600)
    of_things, of_users = ["der_id,certfile,keyfile"], ["der_id,username,password"]
    for der, source, secret in (
        ("DER_0", authority, "secret-DER_0"),
        ("DER_1", authority, "secret-DER_1"),
        ("DER_2", brokers.stranger, "secret-DER_0"),
    ):
        own = source.issue(der, f"DNS:{der}")
        of_things.append(f"{der},{own.file},{own.key}")
        of_users.append(f"{der},{der},{secret}")
        command = [commands["mosquitto_passwd"], "-b", str(passwords), der, f"secret-{der}"]
        subprocess.run(command, check=True, capture_output=True)
    listeners = {
        "things": f"require_certificate true\nuse_identity_as_username true\nacl_file {access}\n"
        f"certfile {server.file}\nkeyfile {server.key}\ncafile {authority.file}",
        "users": f"allow_anonymous false\npassword_file {passwords}\nacl_file {access}",
    }
    trust: dict[str, str] = {"tls": "on", "ca_file": str(authority.file)}
    batch = make_batch()
    with Mosquitto(commands["mosquitto"], tmp_path, listeners) as mosquitto:
        for listener, rows, given in (("things", of_things, trust), ("users", of_users, {})):
            file = tmp_path / f"{listener}.csv"
            file.touch(mode=0o600)
            file.write_text("\n".join(rows))
            transport = make_transport(
                mosquitto.ports[listener],
                connections="der",
                protocol="5",
                qos=1,
                topic="{der_id}/reading",
                credentials_file=str(file),
                **given,
            )
            transport.connect()
            receipt = RecordingReceipt(len(batch))
            transport.write(batch, receipt)
            assert (receipt.delivered_rows, receipt.reasons) == (2, ["not connected"]), listener
            transport.close()
