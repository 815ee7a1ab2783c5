"""`--web` and `--no-web`: their values, and the views of the plan."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from gridsim.cli.web import WebChoice, with_values
from gridsim.config.resolve import Flags
from gridsim.config.text.report import ConfigError
from gridsim.running.plan import DEFAULT_CONFIG, Options, make_plan
from gridsim_plugins.views.web import Web


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--web"], ["--web="]),
        (["--web", "--seed", "1"], ["--web=", "--seed", "1"]),
        (["--web", "demo"], ["--web=", "demo"]),
        (["--web", "8081"], ["--web", "8081"]),
        (["--web", "0.0.0.0:8081"], ["--web", "0.0.0.0:8081"]),
        (["--web", "[::1]:8081"], ["--web", "[::1]:8081"]),
        (["--web", "fleet.example:8081"], ["--web", "fleet.example:8081"]),
        (["--web=8081"], ["--web=8081"]),
        (["--", "--web"], ["--", "--web"]),
        ([], []),
    ],
)
def test_the_flag_may_stand_alone(args: list[str], expected: list[str]) -> None:
    assert with_values(args) == expected


@pytest.mark.parametrize(
    ("address", "settings"),
    [
        ("", {}),
        ("8081", {"port": 8081}),
        (":8081", {"port": 8081}),
        ("0.0.0.0:0", {"host": "0.0.0.0", "port": 0}),
        ("[::1]:8081", {"host": "::1", "port": 8081}),
        ("0.0.0.0", {"host": "0.0.0.0"}),
        ("localhost", {"host": "localhost"}),
    ],
)
def test_an_address_becomes_settings(address: str, settings: dict[str, Any]) -> None:
    assert WebChoice(address, False).views == {"web": settings}


@pytest.mark.parametrize("address", ["nope", "nope:", "1.2.3", "a:b", "::1:8080:"])
def test_a_wrong_address_is_refused(address: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not an address: write HOST:PORT"):
        WebChoice(address, False)


def test_both_flags_are_refused() -> None:
    with pytest.raises(typer.BadParameter, match="cannot be combined with --web"):
        WebChoice("", True)
    assert WebChoice(None, True).without == ("web",)


def _views(flags: Flags) -> list[Any]:
    plan = make_plan(Options(DEFAULT_CONFIG, flags=flags), files="none")
    plan.close()
    return [one.view for one in plan.views]


def test_the_default_configuration_has_the_page_and_flags_change_it() -> None:
    (page,) = _views(Flags())
    assert isinstance(page, Web)
    assert (page.settings.host, page.settings.port) == ("127.0.0.1", 8080)
    (page,) = _views(Flags(views=WebChoice("0.0.0.0:81", False).views))
    assert (page.settings.host, page.settings.port) == ("0.0.0.0", 81)
    assert _views(Flags(without_views=("web",))) == []


def test_a_wrong_port_names_the_flag() -> None:
    with pytest.raises(ConfigError, match="--web: error: 'port' must be at most 65535"):
        _views(Flags(views=WebChoice("65536", False).views))
