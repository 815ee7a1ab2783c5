"""Messages of the user's own shape, published to a real broker and read back by its client."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from gridsim.api import Batch, Framing
from gridsim.testing import RecordingReceipt, make_batch, make_roster, make_run
from gridsim_plugins.formats.template import Template, TemplateSettings
from gridsim_plugins.mqtt.settings import MqttSettings
from gridsim_plugins.mqtt.transport import Mqtt
from tests.integration.conftest import Brokers, Subscribe

ROSTER = make_roster((2, 1), columns={"energy_import_kwh": "kWh"})
NESTED = """
{
  "v": 2,
  "device": {"id": "{der_id}", "site": "{project_id}", "kind": "{type | upper}", "fw": "1.4.2"},
  "ts": "{timestamp | ms}",
  "online": "{is_online | as(1, 0)}",
  "measurements": [
    {"n": "P", "u": "W", "v": "{current_output * 1000 | round}"},
    {"n": "E_imp", "u": "Wh", "v": "{energy_import_kwh * 1000 | round}"},
    {"n": "SOC", "u": "%", "v": "{current_soc | round(1) | else(omit_element)}"}
  ],
  "meter": {"import_w": "{max(net, 0) * 1000 | round}", "export_w": "{max(-net, 0) * 1000 | round}"}
}
"""
GATEWAY = """
{"{der_id}": [{"ts": "{timestamp | ms}", "values": {
  "power": "{current_output}", "soc": "{current_soc}", "status": "{is_online | as(on, off)}"}}]}
"""
VALUES = {
    "power": "{current_output}",
    "energy_in": "{energy_import_kwh | round(3)}",
    "soc": "{current_soc}",
}


def readings() -> Batch:
    batch = make_batch(ROSTER, ticks=3)
    rows = np.arange(len(batch))
    return replace(
        batch,
        is_online=rows != 4,
        extra={"energy_import_kwh": np.round(1234.567 + rows * 0.001, 3)},
    )


def transport(port: int, framing: Framing, format: dict[str, Any], **settings: Any) -> Mqtt:
    made = Template(TemplateSettings.model_validate(format), framing, ROSTER)
    given = MqttSettings.model_validate({"host": "127.0.0.1", "port": port, **settings})
    return Mqtt(given, made, make_run(ROSTER))


def publish(made: Mqtt, batch: Batch) -> None:
    made.connect()
    receipt = RecordingReceipt(len(batch))
    made.write(batch, receipt)
    assert (receipt.left, receipt.delivered_rows) == (0, len(batch))
    made.close()


def test_a_nested_message_per_device_equals_the_columns(
    brokers: Brokers, subscribe: Subscribe
) -> None:
    batch = readings()
    port = brokers.ports["plain"]
    with subscribe(port, topic="nested/#") as subscriber:
        publish(transport(port, "der", {"template": NESTED}, topic="nested/{der_id}"), batch)
        found = [json.loads(text) for _, text in subscriber.messages(len(batch))]
    project = ROSTER.project[batch.device]
    group = project + 2 * batch.tick
    net = batch.power_meter_measurement - np.bincount(group, batch.current_output)[group]
    for row, message in enumerate(found):
        device = int(batch.device[row])
        soc = batch.current_soc[row]
        storage = [] if np.isnan(soc) else [{"n": "SOC", "u": "%", "v": soc}]
        energy = batch.extra["energy_import_kwh"][row]
        assert message == {
            "v": 2,
            "device": {
                "id": ROSTER.der_id[device],
                "site": ROSTER.project_id[project[row]],
                "kind": ROSTER.type[device].upper(),
                "fw": "1.4.2",
            },
            "ts": batch.timestamp_ms[row],
            "online": int(batch.is_online[row]),
            "measurements": [
                {"n": "P", "u": "W", "v": round(batch.current_output[row] * 1000)},
                {"n": "E_imp", "u": "Wh", "v": round(energy * 1000)},
                *storage,
            ],
            "meter": {
                "import_w": round(max(net[row], 0) * 1000),
                "export_w": round(max(-net[row], 0) * 1000),
            },
        }


def test_a_message_per_project_with_the_devices_as_keys_equals_the_columns(
    brokers: Brokers, subscribe: Subscribe
) -> None:
    batch = readings()
    port = brokers.ports["plain"]
    groups = len(batch.groups()) - 1
    with subscribe(port, topic="gateway/#") as subscriber:
        made = transport(
            port, "project", {"template": GATEWAY}, topic="gateway/{project_id}", qos=1
        )
        publish(made, batch)
        found = [json.loads(text) for _, text in subscriber.messages(groups)]
    rows = iter(range(len(batch)))
    for message in found:
        for der_id, values in message.items():
            row = next(rows)
            soc = batch.current_soc[row]
            assert der_id == ROSTER.der_id[int(batch.device[row])]
            assert values == [
                {
                    "ts": batch.timestamp_ms[row],
                    "values": {
                        "power": batch.current_output[row],
                        "soc": None if np.isnan(soc) else soc,
                        "status": "on" if batch.is_online[row] else "off",
                    },
                }
            ]
    assert next(rows, None) is None


def test_a_bare_value_per_topic_equals_the_columns(brokers: Brokers, subscribe: Subscribe) -> None:
    batch = readings()
    last = batch.rows(6)
    port = brokers.ports["plain"]
    made = transport(
        port,
        "measurand",
        {"measurands": VALUES},
        topic="site/{project_id}/{der_id}/{measurand}/state",
        connections="der",
        retain=True,
        qos=1,
        status_topic="site/{project_id}/{der_id}/status",
        status_online="online",
        status_offline="offline",
    )
    publish(made, replace(batch, is_online=np.ones(len(batch), np.bool_)))
    # A later subscriber sees the last values, which the broker keeps.
    with subscribe(port, topic="site/#") as subscriber:
        found = subscriber.messages(3 * 2 + 2 + 3)
        assert set(subscriber.flags()) == {"1"}
    expected = {}
    for row, device in enumerate(last.device.tolist()):
        root = f"site/{ROSTER.project_id[ROSTER.project[device]]}/{ROSTER.der_id[device]}"
        expected[f"{root}/power/state"] = f"{last.current_output[row]:.2f}"
        expected[f"{root}/energy_in/state"] = f"{last.extra['energy_import_kwh'][row]:.3f}"
        if not np.isnan(last.current_soc[row]):
            expected[f"{root}/soc/state"] = f"{last.current_soc[row]:.1f}"
        expected[f"{root}/status"] = "offline"
    assert dict(found) == expected
    assert len(found) == len(expected)


def test_a_message_for_some_readings_equals_the_columns(
    brokers: Brokers, subscribe: Subscribe
) -> None:
    batch = readings()
    port = brokers.ports["plain"]
    template = '[{"id": "{der_id}", "kw": "{current_output}"}, "..."]'
    with subscribe(port, topic="list") as subscriber:
        made = transport(
            port, "batch", {"template": template, "batch_size": 4}, topic="list", qos=2
        )
        publish(made, batch)
        found = [json.loads(text) for _, text in subscriber.messages(3)]
    assert [len(message) for message in found] == [4, 4, 1]
    assert [(one["id"], one["kw"]) for message in found for one in message] == [
        (ROSTER.der_id[device], kw)
        for device, kw in zip(batch.device.tolist(), batch.current_output.tolist(), strict=True)
    ]
