"""The answers of the API: their shape, filters, pages and limits."""

from __future__ import annotations

import gzip
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from starlette.applications import Starlette

from gridsim.api import BackfillStatus, Entry, OpenFault
from gridsim.running.monitor.answers import Answers
from gridsim_plugins.views.web.endpoints import ENDPOINTS
from gridsim_plugins.views.web.fleet import output_bytes, soc_bytes
from gridsim_plugins.views.web.models import BackfillItem
from gridsim_plugins.views.web.openapi import description
from gridsim_plugins.views.web.status import DeliveryRates, status_of
from tests.fixtures.asgi import ask
from tests.fixtures.controls import SteppedControl
from tests.unit.web_api.api import V1


def test_every_answer_has_the_shape_of_its_description(app: Starlette) -> None:
    for endpoint in ENDPOINTS:
        if endpoint.method != "GET" or endpoint.handler in ("stream", "instruction"):
            continue
        id = "HOME_1_BAT" if "devices" in endpoint.path else "HOME_1"
        answer = ask(app, endpoint.path.replace("{id:path}", id))
        assert answer.status == 200, endpoint.path
        if not isinstance(endpoint.answer, str):
            msgspec.json.decode(answer.body, type=endpoint.answer)
        ask(app, endpoint.path.replace("{id:path}", id), method="HEAD")


def test_the_status_has_the_numbers_of_the_run(app: Starlette, control: SteppedControl) -> None:
    control.advance(2)
    status = ask(app, f"{V1}/status").json
    snapshot = control.snapshot()
    assert status["tick"] == 2
    assert status["kw"] == {type: round(kw, 3) for type, kw in snapshot.kw.items()}
    assert status["net_kw"] == round(snapshot.net_kw, 3)
    assert (status["devices"], status["projects"], status["online"]) == (6, 3, 6)
    assert status["types"] == ["battery_storage", "solar"]


def test_the_status_has_the_backfill(control: SteppedControl) -> None:
    control.advance(1)
    past = BackfillStatus(first=0, due=1000, speed=812.36, left_s=1.26, took_s=2.0)
    status = replace(control.status(), backfill=past)
    found = status_of(control.snapshot(), status, control.roster, DeliveryRates(), 0)
    assert found.backfill == BackfillItem(0, 1000, None, 812.4, 1.3, 2.0)
    assert (status.is_backfilling, control.status().is_backfilling) == (True, False)


def test_projects_are_filtered_sorted_and_paged(app: Starlette, control: SteppedControl) -> None:
    def ids(query: str) -> list[str]:
        return [item["id"] for item in ask(app, f"{V1}/projects?{query}").json["items"]]

    assert ids("") == ["HOME_1", "HOME_2", "HOME_3"]
    assert ids("order=desc&limit=2") == ["HOME_3", "HOME_2"]
    assert ids("offset=2") == ["HOME_3"]
    assert ids("offset=3") == []
    assert ids("filter=home_2") == ["HOME_2"]
    assert ids("state=standalone") == []
    assert ids("state=called") == []
    load = control.snapshot().sites.load_kw
    expected = [f"HOME_{row + 1}" for row in np.argsort(load, kind="stable")]
    assert ids("sort=load_kw") == expected
    assert ask(app, f"{V1}/projects?limit=1").json["total"] == 3
    item = ask(app, f"{V1}/projects?sparkline=true").json["items"][0]
    assert (item["devices"], item["first_device"], len(item["sparkline"])) == (2, 0, 60)


def test_devices_are_filtered_sorted_and_paged(app: Starlette) -> None:
    def ids(query: str) -> list[str]:
        return [item["id"] for item in ask(app, f"{V1}/devices?{query}").json["items"]]

    assert ids("limit=2&offset=1") == ["HOME_1_BAT", "HOME_2_PV"]
    assert ids("project=HOME_2") == ["HOME_2_PV", "HOME_2_BAT"]
    assert ids("type=solar&order=desc") == ["HOME_3_PV", "HOME_2_PV", "HOME_1_PV"]
    assert ids("state=offline") == []
    assert len(ids("state=online")) == 6
    # Devices without a state of charge are last, in both directions.
    assert ids("sort=soc&order=desc")[3:] == ids("sort=soc")[3:] == ids("type=solar")
    answer = ask(app, f"{V1}/devices?project=HOME_9")
    assert answer.status == 404
    assert answer.json == {"error": "there is no project 'HOME_9' in this run"}


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/nope", 404, "there is nothing at /nope; see /openapi.json"),
        ("/static/../app.py", 404, "there is no file '../app.py' on this server"),
        (f"{V1}/devices/NOPE", 404, "there is no DER 'NOPE' in this run"),
        (f"{V1}/devices/NOPE/watch", 404, "there is no DER 'NOPE' in this run"),
        (f"{V1}/instructions/x", 404, "there is no instruction 'x' among the last 1000 of the API"),
        (f"{V1}/devices?limit=0", 400, "the parameter 'limit': Expected `int` >= 1"),
        (f"{V1}/devices?limit=501", 400, "the parameter 'limit': Expected `int` <= 500"),
        (f"{V1}/devices?limit=x", 400, "the parameter 'limit': Expected `int`, got `str`"),
        (f"{V1}/devices?sort=x", 400, "the parameter 'sort': Invalid enum value 'x'"),
        (f"{V1}/status?a=1", 400, "there is no parameter 'a' here; there are: none"),
        (f"{V1}/devices?limit=1&limit=2", 400, "the parameter 'limit' is given twice"),
    ],
)
def test_a_wrong_request_is_refused_with_the_reason(
    app: Starlette, path: str, status: int, text: str
) -> None:
    answer = ask(app, path)
    assert (answer.status, answer.json) == (status, {"error": text})
    assert answer.headers["content-type"] == "application/json"


def test_a_method_that_does_not_fit_is_refused(app: Starlette) -> None:
    answer = ask(app, f"{V1}/control")
    assert answer.status == 405
    assert answer.json == {"error": "/api/v1/control does not take GET, but POST"}
    assert ask(app, f"{V1}/status", {}, method="DELETE").status == 405


def test_limits_at_their_edges_are_accepted(app: Starlette) -> None:
    assert ask(app, f"{V1}/devices?limit=500&offset=1000000000").json["items"] == []
    assert ask(app, f"{V1}/projects?filter={'x' * 256}").json["total"] == 0
    assert ask(app, f"{V1}/projects?filter={'x' * 257}").status == 400


def test_the_fleet_is_one_byte_for_each_device(app: Starlette, control: SteppedControl) -> None:
    plain = ask(app, f"{V1}/fleet?show=soc")
    snapshot = control.snapshot()
    assert plain.body == soc_bytes(snapshot.devices.soc).tobytes()
    assert plain.headers["x-time-ms"] == str(snapshot.time_ms)
    packed = ask(app, f"{V1}/fleet?show=type", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == bytes([1, 0] * 3)
    again = ask(app, f"{V1}/fleet?show=type", headers={"if-none-match": packed.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_the_bytes_at_their_edges(control: SteppedControl) -> None:
    soc = np.array([0.0, 0.2, 0.3, 99.8, 100.0, 101.0, np.nan])
    assert soc_bytes(soc).tolist() == [0, 0, 1, 200, 200, 200, 255]
    devices = control.snapshot().devices
    capacity = np.full(len(devices.output_kw), 10.0)
    devices.output_kw.flags.writeable = True
    devices.output_kw[:] = [10.0, -10.0, 0.0, 20.0, np.nan, 0.04]
    assert output_bytes(devices, capacity).tolist() == [255, 1, 128, 255, 0, 129]


def test_entries_are_numbered(app: Starlette, control: SteppedControl) -> None:
    control.add_entries([Entry(n, n, "event", "begins", f"e{n}", "text") for n in range(250)])
    answer = ask(app, f"{V1}/entries").json
    assert (answer["next"], answer["missed"], len(answer["items"])) == (250, 50, 200)
    answer = ask(app, f"{V1}/entries?after=248").json
    assert [item["number"] for item in answer["items"]] == [249]
    assert answer["missed"] == 0
    answer = ask(app, f"{V1}/entries?after=240&limit=2").json
    assert ([item["number"] for item in answer["items"]], answer["missed"]) == ([248, 249], 7)
    assert ask(app, f"{V1}/entries?after=999").json == {"next": 250, "missed": 0, "items": []}


def test_an_instruction_whose_answers_are_not_kept_says_so(
    app: Starlette, control: SteppedControl
) -> None:
    ask(app, f"{V1}/instructions?wait_s=0", {"target": "HOME_1", "command": "connect", "id": "c"})
    control.answered = Answers()
    answer = ask(app, f"{V1}/instructions/c").json
    assert (answer["status"], answer["acknowledgements"]) == ("queued", [])
    assert "its acknowledgements are no longer kept" in answer["reason"]


def test_the_catalogue_has_the_faults_and_commands_with_their_units(app: Starlette) -> None:
    found = ask(app, f"{V1}/catalogue").json
    drift = next(one for one in found["faults"] if one["type"] == "drift")
    assert drift["description"].startswith("An error that grows linearly")
    field, rate = drift["settings"]
    assert (field["default"], field["choices"]) == (
        "current_output",
        ["current_output", "power_meter_measurement"],
    )
    assert (rate["unit"], rate["default"], rate["required"]) == ("kW/h", 0.1, False)
    shared = {one["name"]: one["unit"] for one in found["fault_settings"]}
    assert (shared["duration_s"], shared["per_day"]) == ("s", "1/d")
    units = {one["command"]: one["units"] for one in found["commands"]}
    assert (units["limit_power"], units["target_soc"], units["connect"]) == (["%", "kW"], ["%"], [])
    assert [(one["type"], one["reported"]) for one in found["ders"]] == [
        ("battery", ["battery_storage"]),
        ("solar", ["solar"]),
    ]
    enum = description()["components"]["schemas"]["Instruction"]["properties"]["command"]["enum"]
    assert set(units) < set(enum)


def test_active_faults_are_those_of_the_run(app: Starlette, control: SteppedControl) -> None:
    control.open_faults = (OpenFault("b", 7, "fault b (drift) injected"),)
    assert ask(app, f"{V1}/faults").json["active"] == [
        {"id": "b", "since_ms": 7, "text": "fault b (drift) injected"}
    ]


def test_a_watched_device_is_sent_from_where_the_client_is(app: Starlette) -> None:
    path = f"{V1}/devices/HOME_1_PV/watch"
    watch = ask(app, path).json
    assert len(watch["time_ms"]) == len(watch["true"]["current_output"]) == 1
    assert watch["messages"][0]["payload"] == "{}"
    assert (watch["messages"][0]["start"], watch["messages"][0]["changed"]) == (0, 0)
    rest = ask(app, f"{path}?after_ms={watch['time_ms'][-1]}&after_change=0").json
    assert (rest["time_ms"], rest["messages"]) == ([], [])
