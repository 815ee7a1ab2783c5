"""The API of a run that a test controls."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette

from gridsim.simulation.scenario import Scenario
from gridsim_plugins.views.web.access import Address
from gridsim_plugins.views.web.api import Api
from gridsim_plugins.views.web.app import make_app
from gridsim_plugins.views.web.status import DeliveryRates
from gridsim_plugins.views.web.stream import Stream
from tests.fixtures.controls import SteppedControl
from tests.fixtures.runs import HEAD, HOMES, Bench


@pytest.fixture(scope="package")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return Bench(tmp_path_factory.mktemp("web")).plan(HEAD + HOMES)[0]


@pytest.fixture
def control(scenario: Scenario) -> SteppedControl:
    return SteppedControl(scenario)


@pytest.fixture
def api(control: SteppedControl) -> Api:
    rates = DeliveryRates()
    return Api(control, "http://127.0.0.1:8080", Stream(control.roster, rates), rates)


@pytest.fixture
def app(api: Api) -> Starlette:
    return make_app(api, Address("127.0.0.1", 8080))
