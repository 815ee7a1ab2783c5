"""The option with which the tests run against another class, such as one with a bug."""

from importlib import import_module
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--aggregator", default="aggregator:Aggregator", metavar="MODULE:CLASS")


@pytest.fixture
def make_aggregator(request: pytest.FixtureRequest) -> Any:
    module, _, name = request.config.getoption("--aggregator").partition(":")
    made = []

    def make(host: str, port: int) -> Any:
        made.append(getattr(import_module(module), name)(host, port))
        return made[-1]

    yield make
    for one in made:
        one.close()
