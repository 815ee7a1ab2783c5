"""The preset home-assistant in a real Home Assistant, without its page, by its API.

Starts Mosquitto, Home Assistant with a new user and the MQTT integration, and gridsim. Sets numbers
and presses switches, compares Home Assistant's five-minute statistics of all energies with the
energy of the ledger, kills gridsim, and waits until all entities are unavailable. It runs in real
time.

`make home-assistant` installs Home Assistant in a separate environment.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mosquitto import mosquitto, version
from websockets.sync.client import connect

from gridsim.ledger import query

WINDOW_S = 300
ROUNDING_KWH = 0.001
"""The largest difference of two register readings to that of the exact values: half a Wh each."""
CONFIGURATION = """
http:
  server_host: 127.0.0.1
  server_port: {port}
recorder:
history:
energy:
api:
config:
websocket_api:
onboarding:
"""
COMMANDS = {"battery": ("power_setpoint", -3.5), "solar": ("export_limit", 0.2)}
"""The number of a device, and the value that it is set to."""


class HomeAssistant:
    """A client of Home Assistant's API, after the onboarding."""

    def __init__(self, port: int, broker: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._token = ""
        until(lambda: self._call("/api/onboarding") is not None, 180)
        client = f"{self._url}/"
        user = {"client_id": client, "name": "test", "username": "test", "language": "en"}
        code = self._call("/api/onboarding/users", {**user, "password": "only-for-this-test"})
        grant = {"grant_type": "authorization_code", "code": code["auth_code"]}
        form = urllib.parse.urlencode({**grant, "client_id": client}).encode()
        self._token = json.load(urllib.request.urlopen(f"{self._url}/auth/token", form))[
            "access_token"
        ]
        for step in ("core_config", "analytics"):
            self._call(f"/api/onboarding/{step}", {})
        flow = self._call("/api/config/config_entries/flow", {"handler": "mqtt"})
        way = f"/api/config/config_entries/flow/{flow['flow_id']}"
        made = self._call(way, {"broker": "127.0.0.1", "port": broker})
        assert made["type"] == "create_entry", made

    def version(self) -> str:
        return str(self._call("/api/config")["version"])

    def states(self) -> dict[str, str]:
        """Return the states of the preset's entities."""
        every = self._call("/api/states")
        return {one["entity_id"]: one["state"] for one in every if ".home_" in one["entity_id"]}

    def service(self, name: str, **data: object) -> None:
        self._call(f"/api/services/{name}", data)

    def statistics(self, ids: list[str], since: float, until: float) -> dict[str, Any]:
        """Return the five-minute statistics of sensors: the rows of each, from the oldest on."""
        wish = {"type": "recorder/statistics_during_period", "period": "5minute"}
        times = {"start_time": iso(since), "end_time": iso(until)}
        [answer] = self._ask({**wish, **times, "statistic_ids": ids, "types": ["change"]})
        return answer  # type: ignore[no-any-return]

    def energy_issues(self) -> Any:
        """Put the first home on the energy page, and return the issues that it has with each."""
        home, price = "sensor.home_1_", {"entity_energy_price": None, "number_energy_price": None}
        grid = {
            "type": "grid",
            "flow_from": [{"stat_energy_from": f"{home}meter_energy_import", **price}],
            "flow_to": [{"stat_energy_to": f"{home}meter_energy_export", **price}],
            "cost_adjustment_day": 0,
        }
        solar = {"type": "solar", "stat_energy_from": f"{home}solar_energy_export"}
        battery = {
            "type": "battery",
            "stat_energy_from": f"{home}battery_energy_export",
            "stat_energy_to": f"{home}battery_energy_import",
        }
        save = {"type": "energy/save_prefs", "energy_sources": [grid, solar, battery]}
        devices = [{"stat_consumption": f"{home}charger_energy_import"}]
        save["device_consumption"] = devices
        return self._ask(save, {"type": "energy/validate"})[1]

    def _ask(self, *messages: dict[str, Any]) -> list[Any]:
        """Send messages to the WebSocket API and return the results."""
        results = []
        with connect(self._url.replace("http", "ws") + "/api/websocket") as socket:
            socket.recv()
            socket.send(json.dumps({"type": "auth", "access_token": self._token}))
            socket.recv()
            for number, message in enumerate(messages, 1):
                socket.send(json.dumps({"id": number, **message}))
                answer = json.loads(socket.recv())
                assert answer["success"], answer
                results.append(answer["result"])
        return results

    def _call(self, path: str, body: object = None) -> Any:
        head = {"Content-Type": "application/json"}
        head |= {"Authorization": f"Bearer {self._token}"} if self._token else {}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self._url + path, data, head), timeout=30
            ) as answer:
                return json.load(answer)
        except urllib.error.HTTPError:
            raise
        except OSError:
            return None


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def until(condition: Callable[[], bool], within_s: float) -> float:
    """Wait until a condition holds, and return how long that took, s."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, "it did not happen in time"
        time.sleep(0.2)
    return time.monotonic() - began


@contextmanager
def hass(command: Path, folder: Path, port: int) -> Iterator[None]:
    folder.mkdir()
    (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=port))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(command / "hass"), "-c", str(folder), "--skip-pip"], stdout=log, stderr=log
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def start_gridsim(folder: Path, broker: int) -> subprocess.Popen[bytes]:
    """Start the preset with a reading in each tick, so that the ledger has the power of each."""
    command = [sys.executable, "-m", "gridsim"]
    subprocess.run([*command, "init", "--for", "home-assistant", str(folder)], check=True)
    config = folder / "gridsim.toml"
    text = config.read_text().replace("report_every_s = 5", "report_every_s = 1")
    config.write_text(text + '\n[ledger]\npath = "ledger.sqlite"\n')
    environment = {**os.environ, "MQTT_HOST": f"mqtt://127.0.0.1:{broker}"}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [*command, "--config", str(config)], env=environment, stdout=log, stderr=log
        )


def command_device(home: HomeAssistant, kind: str, name: str, value: float) -> None:
    """Set the number and press the switch of a device of the first home, and wait for it."""
    device = f"home_1_{kind}"
    number, switch = f"number.{device}_{name}", f"switch.{device}_connected"
    power = f"sensor.{device}_power"

    def state(entity: str) -> str:
        return home.states().get(entity, "")

    before = float(state(power))
    wanted = value if value < 0 else min(value, before)
    home.service("number/set_value", entity_id=number, value=value)
    took = until(lambda: (float(state(power)), state(number)) == (wanted, str(value)), 30)
    print(f"{number} set to {value}: {power} from {before} to {wanted} kW in {took:.1f} s")
    home.service("switch/turn_off", entity_id=switch)
    took = until(lambda: (float(state(power)), state(switch)) == (0, "off"), 30)
    print(f"{switch} off: 0 kW in {took:.1f} s")
    home.service("switch/turn_on", entity_id=switch)
    took = until(lambda: (float(state(power)) != 0 or not wanted) and state(switch) == "on", 30)
    print(f"{switch} on: {state(power)} kW in {took:.1f} s")


def registers(ledger: Path) -> tuple[list[float], dict[str, list[float]]]:
    """Return the times at which ticks were offered, s, and the registers at each tick, kWh.

    A register at a tick is the sum of the true power, in hundredths of a kW, over the ticks before.
    """
    power: dict[str, list[int]] = {}
    with query(ledger, "SELECT wall_ms FROM offers ORDER BY tick") as found:
        times = [row[0] / 1000 for row in found.rows]
    wish = "SELECT seq, project_id, der_id, current_output, power_meter_measurement FROM truth"
    with query(ledger, f"{wish} WHERE NOT copy ORDER BY number") as found:
        for tick, project, der, output, load in found.rows:
            kw = round(output * 100)
            power.setdefault(der, [0] * len(times))[tick] = kw
            net = power.setdefault(f"{project}_meter", [0] * len(times))
            # The load is that of the site, in the row of each of its DERs.
            net[tick] += kw - (round(load * 100) if der.endswith("_solar") else 0)
    kept = {}
    for name, row in power.items():
        for way, sign in (("export", 1), ("import", -1)):
            total, values = 0, []
            for one in row:
                values.append(total / 360_000)
                total += max(sign * one, 0)
            kept[f"sensor.{name}_energy_{way}"] = values
    return times, kept


def compare(home: HomeAssistant, ledger: Path, first: float, windows: int) -> bool:
    """Print the largest difference of each energy; return whether all are within the rounding."""
    times, exact = registers(ledger)
    last = first + windows * WINDOW_S
    measured = home.statistics(sorted(exact), first, last)
    good = True
    for name, values in sorted(exact.items()):
        rows = measured[name]
        assert len(rows) == windows, f"{name}: {len(rows)} statistics"
        worst = total = wanted = 0.0
        for number, row in enumerate(rows):
            edges = (first + number * WINDOW_S, first + (number + 1) * WINDOW_S)
            # The last reading before the edge is what Home Assistant has at it.
            low, high = (max(i for i, t in enumerate(times) if t < edge) for edge in edges)
            change = values[high] - values[low]
            worst = max(worst, abs(row["change"] - change))
            total, wanted = total + row["change"], wanted + change
        good &= worst <= ROUNDING_KWH
        print(f"{name:42} {total:9.3f} {wanted:11.5f} {worst:11.6f}")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bin", type=Path, help="the folder of Home Assistant's command hass")
    parser.add_argument("--windows", type=int, default=4, help="number of five-minute windows")
    parser.add_argument("--port", type=int, default=8924, help="port of Home Assistant")
    options = parser.parse_args()
    # The default would leave the three processes behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with (
        tempfile.TemporaryDirectory() as temporary,
        mosquitto() as broker,
        hass(options.bin, Path(temporary, "hass"), options.port),
    ):
        home = HomeAssistant(options.port, broker)
        print(f"Home Assistant {home.version()}, Mosquitto {version()}")
        folder = Path(temporary, "gridsim")
        process = start_gridsim(folder, broker)
        try:
            took = until(lambda: "on" in home.states().values(), 60)
            time.sleep(10)
            print(f"{len(home.states())} entities, the first after {took:.1f} s")
            for kind, (name, value) in COMMANDS.items():
                command_device(home, kind, name, value)
            first = -(-time.time() // WINDOW_S) * WINDOW_S
            # Statistics are made ten seconds after each window.
            time.sleep(first + options.windows * WINDOW_S + 30 - time.time())
            print(f"{'energy, kWh':42} {'statistics':>9} {'ledger':>11} {'difference':>11}")
            good = compare(home, folder / "ledger.sqlite", first, options.windows)
            # Home Assistant checks these sensors only once it has statistics of them.
            print(f"issues of the energy page: {home.energy_issues()}")
            process.send_signal(signal.SIGKILL)
            took = until(lambda: set(home.states().values()) == {"unavailable"}, 60)
            print(f"kill -9: all entities unavailable after {took:.1f} s")
        finally:
            process.kill()
            process.wait()
    print("all within the rounding" if good else "DIFFERENT")
    sys.exit(not good)


if __name__ == "__main__":
    main()
