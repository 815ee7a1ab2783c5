"""The metrics of the web view, read by the parser of prometheus-client and by Prometheus."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gridsim.api import TransportStatus
from gridsim_plugins.views.web.server import WebServer
from tests.fixtures.controls import SteppedControl
from tests.fixtures.runs import HEAD, HOMES, Bench
from tests.fixtures.web import get, served

DASHBOARD = Path(__file__).parents[2] / "examples/grafana/gridsim.json"
DEADLINE_S = 60.0
CONFIG = """
scrape_configs:
  - job_name: gridsim
    scrape_interval: 200ms
    scrape_timeout: 200ms
    static_configs:
      - targets: ["{target}"]
"""


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> SteppedControl:
    control = SteppedControl(Bench(tmp_path_factory.mktemp("web")).plan(HEAD + HOMES)[0])
    control.transports = (
        TransportStatus(
            "mqtt",
            "up",
            accepted=100,
            delivered=70,
            unconfirmed=5,
            pending=12,
            dropped={"queue full": 10, "not sent before the end": 3},
        ),
        TransportStatus("mqtt#2", "connecting", accepted=4, pending=4),
    )
    return control


@pytest.fixture(scope="module")
def server(control: SteppedControl) -> Iterator[WebServer]:
    with served(control) as server:
        yield server


def test_the_account_law_is_visible(server: WebServer, control: SteppedControl) -> None:
    families = list(text_string_to_metric_families(get(f"{server.url}/metrics").decode()))
    samples = [sample for family in families for sample in family.samples]

    def total(name: str, **labels: str) -> float:
        return sum(
            one.value
            for one in samples
            if one.name == name and labels.items() <= one.labels.items()
        )

    for transport in ("mqtt", "mqtt#2"):
        accepted = total("gridsim_transport_accepted_readings_total", transport=transport)
        settled = total("gridsim_transport_readings_total", transport=transport)
        pending = total("gridsim_transport_pending_readings", transport=transport)
        assert accepted == settled + pending > 0
    name = "gridsim_transport_readings_total"
    assert total(name, outcome="dropped", reason="queue full") == 10
    assert (total(name, outcome="dropped"), total(name, outcome="delivered")) == (13, 70)
    assert total("gridsim_transport_up", transport="mqtt") == 1
    assert total("gridsim_transport_up", transport="mqtt#2") == 0
    assert total("gridsim_load_watts") == round(control.snapshot().load_kw * 1000, 6)
    assert total("gridsim_state") == total("gridsim_state", state="running") == 1


def test_names_and_labels_follow_the_conventions(server: WebServer) -> None:
    text = get(f"{server.url}/metrics").decode()
    families = list(text_string_to_metric_families(text))
    assert len(families) > 30
    for family in families:
        assert family.documentation, family.name
        assert re.fullmatch(r"(gridsim|process)_[a-z][a-z_]*", family.name)
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total"), sample.name
            labels = {"type", "transport", "outcome", "reason", "quantile", "state", "source"}
            assert sample.labels.keys() <= {*labels, "version", "seed", "effect"}
    assert "HOME_" not in text


@pytest.fixture(scope="module")
def prometheus(server: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that scrapes the server."""
    program = shutil.which("prometheus")
    if program is None:
        if os.environ.get("GRIDSIM_REQUIRE_MOSQUITTO") == "1":
            pytest.fail("prometheus is not installed")
        pytest.skip("prometheus is not installed")
    folder = tmp_path_factory.mktemp("prometheus")
    config = folder / "prometheus.yml"
    config.write_text(CONFIG.format(target=urllib.parse.urlsplit(server.url).netloc))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder}",
            f"--web.listen-address={address}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield f"http://{address}"
    process.terminate()
    process.wait(DEADLINE_S)


def _query(prometheus: str, expression: str) -> list[Any]:
    text = urllib.parse.urlencode({"query": expression})
    answer = json.loads(get(f"{prometheus}/api/v1/query?{text}"))
    assert answer["status"] == "success", expression
    result: list[Any] = answer["data"]["result"]
    return result


def test_the_queries_of_the_dashboard_run_in_prometheus(prometheus: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    scraped = 0.0
    while scraped < 3 and time.monotonic() < deadline:
        try:
            found = _query(prometheus, "count_over_time(gridsim_info[5m])")
            scraped = float(found[0]["value"][1]) if found else 0.0
        except OSError:
            # Prometheus does not listen yet.
            scraped = 0.0
    assert scraped >= 3
    panels = json.loads(DASHBOARD.read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(expressions) > 20
    for expression in expressions:
        result = _query(prometheus, expression.replace("$instance", ".*"))
        assert result, expression
        if expression.startswith("gridsim_transport_accepted"):
            assert {one["metric"]["transport"]: one["value"][1] for one in result} == {
                "mqtt": "0",
                "mqtt#2": "0",
            }
