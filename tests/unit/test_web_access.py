"""Access to the web view: hosts, origins, the token, headers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from gridsim_plugins.views.web.access import HEADERS, Address
from gridsim_plugins.views.web.api import Api
from gridsim_plugins.views.web.app import make_app
from gridsim_plugins.views.web.endpoints import ENDPOINTS
from gridsim_plugins.views.web.settings import WebSettings
from gridsim_plugins.views.web.status import DeliveryRates
from gridsim_plugins.views.web.stream import Stream
from tests.fixtures.asgi import ask
from tests.fixtures.controls import SteppedControl
from tests.fixtures.runs import HEAD, HOMES, Bench

STATUS = "/api/v1/status"
CONTROL = "/api/v1/control"
TOKEN = "a-token-of-this-run"
MakeApp = Callable[[Address], Starlette]


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> SteppedControl:
    scenario, _ = Bench(tmp_path_factory.mktemp("web")).plan(HEAD + HOMES)
    return SteppedControl(scenario)


@pytest.fixture(scope="module")
def make(control: SteppedControl) -> MakeApp:
    rates = DeliveryRates()
    api = Api(control, "http://127.0.0.1:8080", Stream(control.roster, rates), rates)
    return lambda address: make_app(api, address)


@pytest.fixture
def local(make: MakeApp) -> Starlette:
    return make(Address("127.0.0.1", 8080))


@pytest.fixture
def public(make: MakeApp) -> Starlette:
    return make(Address("0.0.0.0", 8080, frozenset({"fleet.example"}), TOKEN))


@pytest.mark.parametrize(
    ("host", "local_status", "public_status"),
    [
        ("127.0.0.1:8080", 200, 200),
        ("localhost", 200, 200),
        ("LOCALHOST:9", 200, 200),
        ("[::1]:8080", 200, 200),
        ("192.168.1.7:8080", 403, 200),
        ("[2001:db8::1]", 403, 200),
        ("fleet.example", 403, 200),
        ("evil.example:8080", 403, 403),
        ("127.0.0.1.evil.example", 403, 403),
        ("localhost.evil.example", 403, 403),
        ("evil.example@127.0.0.1", 200, 200),
        ("", 403, 403),
        ("[", 403, 403),
    ],
)
def test_only_own_hosts_are_answered(
    local: Starlette, public: Starlette, host: str, local_status: int, public_status: int
) -> None:
    assert ask(local, STATUS, headers={"host": host}).status == local_status
    headers = {"host": host, "authorization": f"Bearer {TOKEN}"}
    assert ask(public, STATUS, headers=headers).status == public_status


def test_health_is_503_while_no_ticks_go_on(public: Starlette, control: SteppedControl) -> None:
    control.ticking = False
    health = ask(public, "/healthz")
    control.ticking = True
    assert (health.status, health.json) == (
        503,
        {"state": "running", "ticking": False, "backfilling": False},
    )
    assert ask(public, "/healthz").status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:8080"}, 200),
        ({"origin": "http://127.0.0.1:8081"}, 403),
        ({"origin": "http://localhost:8080"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://["}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, 403),
    ],
)
def test_other_origins_neither_read_nor_post(
    local: Starlette, headers: dict[str, str], status: int
) -> None:
    assert ask(local, STATUS, headers=headers).status == status
    assert ask(local, CONTROL, {"action": "resume"}, headers=headers).status == status
    answer = ask(local, STATUS, headers=headers)
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_link_on_another_page_may_be_followed_but_not_framed_or_posted(
    local: Starlette,
) -> None:
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    document = {**followed, "sec-fetch-dest": "document"}
    assert ask(local, STATUS, headers=document).status == 200
    assert ask(local, STATUS, headers={**followed, "sec-fetch-dest": "iframe"}).status == 403
    assert ask(local, CONTROL, {"action": "resume"}, headers=document).status == 403


def test_every_answer_has_the_headers(local: Starlette, public: Starlette) -> None:
    for app in (local, public):
        for path in ("/", STATUS, "/nope", "/metrics", "/static/nope", "/healthz"):
            answer = ask(app, path)
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    policy = HEADERS["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_nothing_but_health_is_answered_without_the_token(public: Starlette) -> None:
    paths = {endpoint.path.replace("{id:path}", "HOME_1") for endpoint in ENDPOINTS}
    for path in sorted({*paths, "/", "/static/page.css", "/openapi.json", "/nope"} - {"/healthz"}):
        for method in ("GET", "POST"):
            answer = ask(public, path, None if method == "GET" else {}, method=method)
            assert answer.status == 401, path
            assert TOKEN.encode() not in answer.body
    assert ask(public, "/healthz").json == {
        "state": "running",
        "ticking": True,
        "backfilling": False,
    }


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": f"bearer {TOKEN}"}, 200),
        ({"authorization": f"Bearer {TOKEN}x"}, 401),
        ({"authorization": f"Bearer {TOKEN[:-1]}"}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"authorization": "Bearer ü"}, 401),
        ({"cookie": f"gridsim_8080={TOKEN}"}, 200),
        ({"cookie": f"a=b; gridsim_8080={TOKEN}"}, 200),
        ({"cookie": "gridsim_8080="}, 401),
        ({"cookie": f"gridsim_8081={TOKEN}"}, 401),
        ({"cookie": ";;;="}, 401),
    ],
)
def test_the_token_comes_as_a_header_or_a_cookie(
    public: Starlette, headers: dict[str, str], status: int
) -> None:
    assert ask(public, STATUS, headers=headers).status == status


def test_the_address_with_the_token_sets_the_cookie(public: Starlette) -> None:
    answer = ask(public, f"/?token={TOKEN}")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"gridsim_8080={TOKEN};")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert ask(public, "/?token=wrong").status == 401
    # The token in an address of the API would stand in logs.
    assert ask(public, f"{STATUS}?token={TOKEN}").status == 401


def test_a_token_of_the_configuration_is_needed_on_loopback_too(make: MakeApp) -> None:
    app = make(Address("127.0.0.1", 8080, token=TOKEN))
    assert ask(app, STATUS).status == 401
    assert ask(app, STATUS, headers={"authorization": f"Bearer {TOKEN}"}).status == 200


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("example.org", False),
    ],
)
def test_loopback_addresses_are_recognised(host: str, loopback: bool) -> None:
    assert WebSettings(host=host).is_loopback is loopback


def test_a_short_token_is_refused() -> None:
    WebSettings(token=SecretStr("x" * 16))
    for token in ("x" * 15, "x" * 15 + " ", "ü" * 16):
        with pytest.raises(ValueError, match="at least 16 ASCII characters"):
            WebSettings(token=SecretStr(token))
