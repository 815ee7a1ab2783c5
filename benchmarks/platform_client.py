"""The platforms' own clients, each sending the values of one message; see platform_clients.py."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from typing import Any

DEVICE = "HOME_001_PV"
HUB = "localhost"
TOKENS = {"thingsboard": "gateway-token", "thingsboard-devices": "device-token"}


def aws_iot(port: int, folder: str, authority: str, message: Any) -> None:
    import boto3
    from awscrt import mqtt
    from awsiot import iotshadow, mqtt_connection_builder
    from moto import mock_aws

    state = message["state"]["reported"]
    connection = mqtt_connection_builder.mtls_from_path(
        endpoint="localhost",
        port=port,
        cert_filepath=f"{folder}/certs/{DEVICE}.pem.crt",
        pri_key_filepath=f"{folder}/certs/{DEVICE}.pem.key",
        ca_filepath=authority,
        client_id=DEVICE,
        clean_session=True,
    )
    connection.connect().result(20)
    request = iotshadow.UpdateShadowRequest(
        thing_name=DEVICE, state=iotshadow.ShadowState(reported=state)
    )
    client = iotshadow.IotShadowClient(connection)
    client.publish_update_shadow(request, mqtt.QoS.AT_LEAST_ONCE).result(20)
    connection.disconnect().result(20)
    with mock_aws():
        boto3.client("iot", region_name="eu-central-1").create_thing(thingName=DEVICE)
        data = boto3.client("iot-data", region_name="eu-central-1")
        data.update_thing_shadow(thingName=DEVICE, payload=json.dumps(message).encode())
        kept = json.loads(data.get_thing_shadow(thingName=DEVICE)["payload"].read())
    assert kept["state"]["reported"] == state, kept


def azure_iot_hub(port: int, folder: str, authority: str, message: Any) -> None:
    from azure.iot.device import IoTHubDeviceClient, Message
    from azure.iot.device.exceptions import NoConnectionError

    with open(authority, encoding="utf-8") as file:
        client = IoTHubDeviceClient.create_from_connection_string(
            f"HostName={HUB};DeviceId={DEVICE};SharedAccessKey=c2VjcmV0",
            server_verification_cert=file.read(),
        )
    client.connect()
    text = json.dumps(message)
    client.send_message(Message(text, content_encoding="utf-8", content_type="application/json"))
    # Its disconnect fails at times, after the message was confirmed.
    with suppress(NoConnectionError):
        client.shutdown()


def thingsboard(port: int, folder: str, authority: str, message: Any) -> None:
    from tb_gateway_mqtt import TBGatewayMqttClient

    client = TBGatewayMqttClient("127.0.0.1", port, TOKENS["thingsboard"])
    client.connect()
    for device, telemetry in message.items():
        client.gw_send_telemetry(device, telemetry)
    time.sleep(2)
    client.disconnect()


def thingsboard_devices(port: int, folder: str, authority: str, message: Any) -> None:
    from tb_device_mqtt import TBDeviceMqttClient

    client = TBDeviceMqttClient("127.0.0.1", port, TOKENS["thingsboard-devices"])
    client.connect()
    client.send_telemetry(message)
    time.sleep(2)
    client.disconnect()


if __name__ == "__main__":
    name, port, folder, authority, message = sys.argv[1:]
    globals()[name.replace("-", "_")](int(port), folder, authority, json.loads(message))
