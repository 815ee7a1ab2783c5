"""The pytest plugin: the fixture `gridsim_fleet`, a simulated fleet for one test.

    def test_back_end(gridsim_fleet):
        fleet = gridsim_fleet("fleet.toml", seed=7)
        back_end = BackEnd(fleet.broker.host, fleet.broker.port)
        fleet.advance("15m")
        fleet.verify(back_end.readings())

Nothing else of gridsim is imported before a test uses the fixture.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from gridsim.fixture import SimulatedFleet

_OPTION, _INI, _VARIABLE = "--gridsim-broker", "gridsim_broker", "GRIDSIM_BROKER"


class MakeFleet(Protocol):
    """The type of the fixture `gridsim_fleet`."""

    def __call__(
        self,
        config: str | os.PathLike[str] | Mapping[str, Any],
        *,
        seed: int | None = None,
        start: str | None = None,
        overrides: Sequence[str] = (),
        plugins: Sequence[str | os.PathLike[str]] = (),
        broker: str | None = None,
        listen: Sequence[str] = (),
    ) -> SimulatedFleet:
        """Return a fleet that is connected and waits for `advance`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the setting for the user's own broker."""
    text = "the broker that gridsim_fleet publishes to, such as mqtt://127.0.0.1:1883; without it, "
    text += "each fleet has its own broker"
    parser.getgroup("gridsim").addoption(_OPTION, metavar="URL", help=text)
    parser.addini(_INI, text)


@pytest.fixture
def gridsim_fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeFleet]:
    """Return a function that starts a simulated fleet: gridsim_fleet("fleet.toml", seed=7).

    The configuration is a path, TOML text or a dict. Without transports it publishes MQTT to its
    own broker. All fleets of a test stop at its end.
    """
    from gridsim.fixture.factory import FleetFactory

    broker, origin = _broker(request.config)
    with FleetFactory(
        folder=request.path.parent,
        data=tmp_path_factory.mktemp("gridsim"),
        shared=tmp_path_factory.getbasetemp().parent,
        broker=broker,
        broker_from=origin,
    ) as factory:
        yield factory


def _broker(config: pytest.Config) -> tuple[str | None, str]:
    """Return the user's broker, or None, and where it is set."""
    for value, origin in (
        (config.getoption(_OPTION), _OPTION),
        (os.environ.get(_VARIABLE), _VARIABLE),
        (config.getini(_INI), f"the setting {_INI}"),
    ):
        if value:
            return str(value), origin
    return None, ""
