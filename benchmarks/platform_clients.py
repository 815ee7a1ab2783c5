"""A comparison of the presets of `gridsim init --for` with what the platforms' own clients send.

Both publish to the same Mosquitto. A client gets the values that a preset has sent, and has to send
the same topic and the same JSON:

    python -m benchmarks.platform_clients PYTHON

PYTHON is the interpreter of an environment with the clients: they need an older paho-mqtt than
gridsim. `make platforms` makes it. What AWS IoT would keep of the messages is asked of moto.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.platform_client import DEVICE, HUB, TOKENS
from gridsim.templates.presets import write_preset
from tests.integration.certificates import Authority
from tests.integration.mosquitto import Mosquitto, Subscriber

Messages = list[tuple[str, Any]]
PRESETS = {
    "aws-iot": ("things", "$aws/#"),
    "azure-iot-hub": ("hub", "devices/#"),
    "thingsboard": ("plain", "v1/gateway/telemetry"),
    "thingsboard-devices": ("plain", "v1/devices/me/telemetry"),
}
_SUBSCRIBER = ("stdbuf", "-oL", "mosquitto_sub")


def main() -> int:
    python = sys.argv[1]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        authority = Authority(folder / "authority", "openssl")
        server = authority.issue("server", "IP:127.0.0.1,DNS:localhost")
        files = f"certfile {server.file}\nkeyfile {server.key}\ncafile {authority.file}"
        listeners = {
            "plain": "allow_anonymous true",
            "hub": f"{files}\nallow_anonymous true",
            "things": f"{files}\nrequire_certificate true\nuse_identity_as_username true",
        }
        broker = Mosquitto("mosquitto", folder, listeners)
        # The client of Azure IoT Hub has no other port.
        written = folder / "mosquitto.conf"
        written.write_text(written.read_text().replace(f"{broker.ports['hub']} ", "8883 "))
        broker.ports["hub"] = 8883
        with broker:
            differences = [
                problem
                for name in PRESETS
                for problem in compare(name, python, broker, authority, folder)
            ]
    for problem in differences:
        print(problem)
    return bool(differences)


def compare(
    name: str, python: str, broker: Mosquitto, authority: Authority, folder: Path
) -> list[str]:
    """Run a preset and the client of its platform, and return what differs."""
    listener, topic = PRESETS[name]
    own = folder / name
    config, *_ = write_preset(name, own, force=False)
    config.write_text(config.read_text().replace("count = 5", "count = 1"))
    (own / "certs").mkdir()
    prepare(own, authority)
    log = folder / "mosquitto.log"
    begin = log.stat().st_size
    with Subscriber(_SUBSCRIBER, broker.ports["plain"], topic=topic) as subscriber:
        run(config, broker.ports[listener])
        sent = [one for one in read(subscriber, 3) if "kind=" not in one[0]]
        middle = log.stat().st_size
        count = len(subscriber.messages(0))
        wanted = next(
            one for one in sent if DEVICE in one[0] + json.dumps(one[1]) or "me/" in one[0]
        )
        client(python, name, broker.ports[listener], own, authority, wanted[1])
        [answer, *_] = read(subscriber, count + 1)[count:]
    text = log.read_text()
    problems = []
    if answer[0] != wanted[0]:
        problems.append(f"{name}: topic {wanted[0]}, the client {answer[0]}")
    # The client of ThingsBoard sends a list of one, which the document permits, too.
    theirs = answer[1][0] if isinstance(answer[1], list) else answer[1]
    if theirs != wanted[1]:
        problems.append(f"{name}: {wanted[1]}, the client {theirs}")
    ours, them = identities(text[begin:middle]), identities(text[middle:])
    if name in ("aws-iot", "azure-iot-hub") and not ours & them:
        problems.append(f"{name}: connections {sorted(ours)}, the client {sorted(them)}")
    print(
        f"{name}: {wanted[0]} {json.dumps(wanted[1])[:200]}: {'differs' if problems else 'equal'}"
    )
    return problems


def prepare(folder: Path, authority: Authority) -> None:
    """Write what the platform would give the user: certificates and tokens."""
    rows = folder / "credentials.csv"
    if not rows.exists():
        return
    header, *all_rows = rows.read_text().splitlines()
    rows.write_text("\n".join([header, *all_rows[:3]]))
    for row in all_rows[:3]:
        one = row.split(",")[0]
        if "cert_file" in header:
            issued = authority.issue(one, f"DNS:{one}")
            issued.file.rename(folder / f"certs/{one}.pem.crt")
            issued.key.rename(folder / f"certs/{one}.pem.key")


def run(config: Path, port: int) -> None:
    """Run a preset until each device has reported."""
    text = config.read_text()
    scheme = "mqtt" if "thingsboard" in str(config.parent.name) else "mqtts"
    authority = "" if scheme == "mqtt" else str(config.parent.parent / "authority/ca.crt")
    values = {
        "MQTT_HOST": "set below",
        "MQTT_CA_FILE": authority,
        "AZURE_IOT_HUB": HUB,
        "AZURE_IOT_HUB_TOKEN": "SharedAccessSignature sr=x",
        "THINGSBOARD_TOKEN": TOKENS["thingsboard"],
    }
    (config.parent / ".env").write_text("".join(f"{k}={v}\n" for k, v in values.items()))
    (config.parent / ".env").chmod(0o600)
    every = re.findall(r"report_every_s = (\d+)", text)[0]
    subprocess.run(
        [
            *(sys.executable, "-m", "gridsim", "--config", config.name, "--speed", "0"),
            *("--duration", f"{every}s", "--no-web"),
            *("--set", f'transports.0.host="{scheme}://127.0.0.1:{port}"'),
        ],
        cwd=config.parent,
        check=True,
        capture_output=True,
    )


def client(
    python: str, name: str, port: int, folder: Path, authority: Authority, message: Any
) -> None:
    """Send the values of a message with the platform's client."""
    program = Path(__file__).with_name("platform_client.py")
    words = [python, str(program), name, str(port), str(folder), str(authority.file)]
    subprocess.run([*words, json.dumps(message)], check=True, timeout=120)


def read(subscriber: Subscriber, count: int) -> Messages:
    return [(topic, json.loads(text)) for topic, text in subscriber.messages(count)]


def identities(log: str) -> set[tuple[str, str]]:
    """Return client id and user name of the connections, without the parameters after the first."""
    found = re.findall(r" as (\S+) \(p\d, c\d, k\d+, u'([^&']*?)(?:api-version=[^']*)?'\)", log)
    return {(str(one), str(user)) for one, user in found}


if __name__ == "__main__":
    sys.exit(main())
