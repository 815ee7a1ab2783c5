"""Instructions and the pace of a run by the API, and the limits of a client."""

from __future__ import annotations

import json
import shlex

import pytest
from starlette.applications import Starlette

from gridsim.api import Entry
from gridsim_plugins.views.web.access import RateLimit
from tests.fixtures.asgi import Answered, ask
from tests.fixtures.controls import SteppedControl
from tests.unit.web_api.api import V1


def test_an_instruction_is_queued_and_acknowledged(app: Starlette, control: SteppedControl) -> None:
    body = {"target": "HOME_1_BAT", "command": "set_power", "value": -3, "duration_s": 600}
    queued = ask(app, f"{V1}/instructions?wait_s=0", body)
    assert queued.status == 202
    answer = queued.json
    assert (answer["status"], answer["target"]) == ("queued", "HOME_1/HOME_1_BAT")
    control.advance()
    # What else happens meanwhile, more than a snapshot keeps, does not hide the answer.
    control.add_entries([Entry(n, n, "event", "begins", f"e{n}", "text") for n in range(250)])
    found = ask(app, f"{V1}/instructions/{answer['id']}").json
    assert [one["status"] for one in found["acknowledgements"]] == ["accepted"]
    assert found["status"] == "accepted"
    assert ask(app, f"{V1}/instructions").json["items"] == [found]
    assert ask(app, f"{V1}/instructions?wait_s=0", {**body, "id": answer["id"]}).status == 409


def test_a_rejected_instruction_has_the_reason_of_the_run(
    app: Starlette, control: SteppedControl
) -> None:
    body = {"target": "HOME_1_PV", "command": "target_soc", "value": 50, "id": "c-1"}
    ask(app, f"{V1}/instructions?wait_s=0", body)
    control.advance()
    answer = ask(app, f"{V1}/instructions/c-1").json
    assert answer["status"] == "rejected"
    assert answer["error"] == answer["reason"] != ""


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"command": "connect"}, 422, "'target' is missing: write the id of a DER"),
        (
            {"target": "HOME_1_BT", "command": "connect"},
            422,
            "there is no DER and no project 'HOME_1_BT' in this configuration; did you mean",
        ),
        ({"target": "HOME_1", "command": "se_power"}, 422, "did you mean 'set_power'?"),
        ({"target": "HOME_1"}, 422, "'command' is missing: write one of set_power"),
        ({"target": "HOME_1", "command": "set_power"}, 422, "'value' is missing"),
        ({"target": "*", "command": "connect"}, 422, "connect takes the id of one DER"),
        ({"target": "HOME_*", "command": "clear_fault", "fault": "f"}, 422, "takes an id or *"),
        ({"target": 3, "command": "connect"}, 422, "'target' is missing"),
        ({"target": "HOME_1", "command": "connect", "id": ""}, 422, "'id' must be a text"),
        ({"target": "HOME_1", "command": "connect", "x": 1}, 422, "'x' is not a key of a command"),
        ([], 400, "must be one JSON object"),
        (b"{", 400, "is not JSON"),
        (b"\xff", 400, "is not UTF-8"),
        (b"[" * 60000, 400, "oversize: a command has at most 8192 bytes"),
        (b'{"target": "HOME_1", "command": "set_power", "value": NaN}', 422, "is not JSON"),
    ],
)
def test_a_wrong_instruction_is_refused_in_the_words_of_the_command_line(
    app: Starlette, control: SteppedControl, body: object, status: int, text: str
) -> None:
    answer = ask(app, f"{V1}/instructions", body)
    assert answer.status == status
    assert text in answer.json["error"]
    assert control.posted == []


def test_bodies_have_a_limit_and_a_type(app: Starlette) -> None:
    path = f"{V1}/control"
    assert ask(app, path, b" " * 65_536).status == 400
    too_long = ask(app, path, b" " * 65_537)
    assert (too_long.status, too_long.json) == (
        413,
        {"error": "the body must have at most 65536 bytes"},
    )
    as_form = ask(app, path, {}, headers={"content-type": "text/plain"})
    assert as_form.status == 415
    assert ask(app, path, {"action": "pause"}, headers={"content-type": "application/json; a=b"})


def test_a_full_queue_and_an_ended_run_refuse_instructions(
    app: Starlette, control: SteppedControl
) -> None:
    body = {"target": "HOME_1_BAT", "command": "connect"}
    control.room = False
    assert ask(app, f"{V1}/instructions", body).status == 503
    control.room, control.state = True, "ended"
    assert ask(app, f"{V1}/instructions", body).status == 409
    assert ask(app, f"{V1}/control", {"action": "pause"}).status == 409


def test_the_pace_is_changed(app: Starlette, control: SteppedControl) -> None:
    def change(**body: object) -> Answered:
        return ask(app, f"{V1}/control", body)

    assert change(action="pause").json["state"] == "paused"
    assert change(action="resume").json["state"] == "running"
    assert change(action="speed", speed=60).json["speed"] == 60.0
    assert change(action="speed", speed=0).json["speed"] == 0.0
    refused = change(action="speed", speed=0.0005)
    assert refused.status == 422
    assert refused.json["error"].startswith("speed must be 0, or from 0.001 to 1,000,000")
    assert change(action="speed").status == 422
    assert change(action="pause", speed=1).status == 422
    assert change(action="stop").status == 400


def test_the_configuration_is_reloaded(app: Starlette, control: SteppedControl) -> None:
    assert ask(app, f"{V1}/control", {"action": "reload"}).status == 200
    control.reload_error = "home.toml:3:1: error: no"
    refused = ask(app, f"{V1}/control", {"action": "reload"})
    assert (refused.status, refused.json["error"]) == (422, control.reload_error)
    assert control.reloads == 1
    answer = ask(app, f"{V1}/equivalents", {"action": "reload"}).json
    assert answer["send"].startswith("kill -HUP ")


EQUIVALENTS = [
    (
        {"target": "HOME_1_BAT", "command": "set_power", "value": -3, "duration_s": 600},
        "gridsim send HOME_1_BAT set_power -3 --duration 600s",
        None,
    ),
    (
        {"target": "HOME_1", "command": "limit_power", "value": 50, "unit": "%", "ramp_s": 1e-6},
        "gridsim send HOME_1 limit_power 50 --unit % --ramp 0.000001s",
        None,
    ),
    (
        {
            "target": "HOME_1",
            "command": "limit_import",
            "periods": [{"start_s": 0, "value": 11}, {"start_s": 900.5, "value": 7.4}],
            "stack_level": 2,
        },
        "gridsim send HOME_1 limit_import --periods 0:11,900.5:7.4 --stack-level 2",
        None,
    ),
    (
        {"target": "HOME_*", "command": "call_event", "event": "e 1", "target_kw": 2},
        "gridsim send 'HOME_*' call_event 'e 1' --key target_kw=2",
        '[[events]]\nid = "e 1"\nstart = "2026-06-21T15:00:10.000Z"\nprojects = ["HOME_*"]\n'
        "target_kw = 2\n",
    ),
    (
        {"target": "HOME_1_PV", "command": "inject_fault", "type": "offline", "duration_s": None},
        "gridsim send HOME_1_PV inject_fault --key 'type=\"offline\"'",
        '[[faults]]\nstart = "2026-06-21T15:00:10.000Z"\ntype = "offline"\nders = ["HOME_1_PV"]\n',
    ),
    (
        {"target": "*", "command": "clear_fault", "fault": "f"},
        "gridsim send '*' clear_fault f",
        None,
    ),
]


@pytest.mark.parametrize(("body", "send", "toml"), EQUIVALENTS)
def test_the_equivalents_of_an_instruction(
    app: Starlette, control: SteppedControl, body: object, send: str, toml: str | None
) -> None:
    answer = ask(app, f"{V1}/equivalents", body).json
    assert (answer["send"], answer["toml"]) == (send, toml)
    words = shlex.split(answer["curl"])
    assert (json.loads(words[4]), words[5]) == (body, "http://127.0.0.1:8080/api/v1/instructions")
    assert control.posted == []


def test_the_equivalents_of_a_speed(app: Starlette) -> None:
    answer = ask(app, f"{V1}/equivalents", {"action": "speed", "speed": 60}).json
    assert answer["send"] == "gridsim --speed 60"
    assert answer["toml"] == "[simulation]\nspeed = 60\n"


def test_a_flood_is_refused_per_client() -> None:
    now = [0.0]
    limit = RateLimit(2, 4, monotonic=lambda: now[0])
    assert [limit.admits("a") for _ in range(5)] == [True] * 4 + [False]
    assert limit.admits("b")
    now[0] = 0.5
    assert [limit.admits("a") for _ in range(2)] == [True, False]
    for client in range(2000):
        limit.admits(str(client))
    assert len(limit._clients) == 1024


def test_posts_beyond_the_limit_get_429(app: Starlette) -> None:
    answers = [ask(app, f"{V1}/equivalents", {"action": "pause"}) for _ in range(41)]
    assert {answer.status for answer in answers[:40]} == {200}
    # The bucket may have got a drop in the meantime.
    more = [ask(app, f"{V1}/equivalents", {"action": "pause"}) for _ in range(40)]
    refused = [answer for answer in (*answers, *more) if answer.status == 429]
    assert refused
    assert refused[0].headers["retry-after"] == "1"
    assert ask(app, f"{V1}/status").status == 200
