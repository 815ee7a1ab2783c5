"""`gridsim plot`: what is drawn are the true values, and each kind of picture shows them."""

from __future__ import annotations

import io
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from gridsim.errors import UsageError
from gridsim.plot.blocks import lines
from gridsim.plot.day import Day, PlotChoice, simulate_day
from gridsim.plot.raster import draw
from gridsim.plot.vector import svg
from gridsim.simulation.step import Simulation
from gridsim.simulator.opening import open_configuration
from tests.fixtures.prepared import gridsim

ROOT = Path(__file__).parents[2]
CONFIG = """
[simulation]
tick_s = 60
start = 2026-07-01T16:00:00-03:00
[[projects]]
id = "HOME_{n}"
count = 2
contract_threshold = 1.0
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 5.0
[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 4.0
[[events]]
id = "peak.1"
after_s = 1800
duration_s = 1200
[[transports]]
type = "mqtt"
host = "no.such.host.example"
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plot") / "home.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def day(config: Path) -> Day:
    return simulate_day(PlotChoice(config, "2h"))


def test_the_values_are_the_true_ones(config: Path, day: Day) -> None:
    opened = open_configuration(config, seed=None, start=None, overrides=(), plugins=())
    simulation = Simulation(opened.configuration.scenario)
    truths = [simulation.advance().truth for _ in range(120)]
    output = np.array([one.output_kw for one in truths if one is not None])
    load = np.array([one.load_kw.sum() for one in truths if one is not None])
    assert (day.step_ms, day.tick_ms, len(day.time_ms)) == (60_000, 60_000, 120)
    assert list(day.kw) == ["battery_storage", "solar"]
    np.testing.assert_allclose(day.kw["solar"], output[:, [0, 2]].sum(axis=1))
    np.testing.assert_allclose(day.kw["battery_storage"], output[:, [1, 3]].sum(axis=1))
    assert day.load_kw is not None
    assert day.net_kw is not None
    np.testing.assert_allclose(day.load_kw, load)
    np.testing.assert_allclose(day.net_kw, load - output.sum(axis=1), atol=1e-9)
    assert list(day.soc) == ["battery_storage"]
    [event] = day.events
    assert event.name == "peak.1"
    assert (event.start_ms - day.start_ms, event.end_ms - day.start_ms) == (1_800_000, 3_000_000)


def test_a_part_of_the_fleet_is_drawn_with_the_load_of_whole_projects_alone(config: Path) -> None:
    one = simulate_day(PlotChoice(config, "10m", projects=("HOME_2",)))
    assert one.load_kw is not None
    assert list(one.kw) == ["battery_storage", "solar"]
    solar = simulate_day(PlotChoice(config, "10m", types=("solar",)))
    assert (list(solar.kw), solar.load_kw, solar.net_kw, solar.soc) == (["solar"], None, None, {})
    device = simulate_day(PlotChoice(config, "10m", ders=("HOME_1_*",), types=("battery_storage",)))
    assert list(device.kw) == ["battery_storage"]


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"ders": ("X*",)}, r"--ders: error: 'X\*' matches none of HOME_1_BAT, HOME_1_PV"),
        ({"projects": ("X",)}, "--projects: error: 'X' matches none of HOME_1, HOME_2"),
        (
            {"types": ("battery",)},
            "--types: error: 'battery' matches none of battery_storage, solar",
        ),
        ({"ders": ("*_PV",), "types": ("battery_storage",)}, "no device matches --ders"),
        ({"duration": "60s"}, "--duration: error: 60s is too short to draw: the run has ticks"),
        ({"duration": "soon"}, "--duration: error: 'soon'"),
        ({"start": "noon"}, "noon"),
    ],
)
def test_what_cannot_be_drawn_is_an_error(config: Path, choice: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        simulate_day(PlotChoice(config, **{"duration": "1h", **choice}))  # type: ignore[arg-type]


def test_short_ticks_are_simulated_in_longer_ones_if_that_is_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridsim.plot.day._TICKS", 60)
    path = tmp_path / "home.toml"
    path.write_text(CONFIG.replace("tick_s = 60", "tick_s = 1"))
    assert simulate_day(PlotChoice(path, "2m")).tick_ms == 1000
    assert simulate_day(PlotChoice(path, "10m")).tick_ms == 10_000
    exact = PlotChoice(path, "5m", overrides=("simulation.tick_s=2",))
    assert simulate_day(exact).tick_ms == 2000
    path.write_text(
        path.read_text().replace('type = "solar"', 'type = "solar"\nreport_every_s = 2')
    )
    assert simulate_day(PlotChoice(path, "10m")).tick_ms == 1000


def test_the_text_fits_the_terminal_and_shows_the_ranges(day: Day) -> None:
    for width, unicode in ((80, True), (60, False)):
        text = [one.plain for one in lines(day, width, unicode)]
        assert max(map(len, text)) <= width
        assert text[0] == "home.toml: 2026-07-01 16:00 to 2026-07-01 18:00, America/Moncton"[:width]
        joined = "\n".join(text)
        assert f"{day.kw['solar'].max():+.1f} kW" in joined
        assert "peak.1" in joined
        assert joined.isascii() or unicode
        assert "16:00" in text[-1]


def test_the_text_has_no_colour_where_none_is_wanted(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = {}
    for wanted in ("", "1"):
        monkeypatch.setenv("NO_COLOR", wanted)
        out = io.StringIO()
        console = Console(file=out, force_terminal=True, width=80, color_system="truecolor")
        for line in lines(day, 80):
            console.print(line)
        shown[wanted] = out.getvalue()
    assert "\x1b[38;2;" in shown[""]
    assert "\x1b[38;2;" not in shown["1"]


@pytest.mark.parametrize(("theme", "back"), [("light", "#fff"), ("dark", "#14171b")])
def test_the_svg_stands_alone(day: Day, theme: str, back: str) -> None:
    text = svg(day, theme)
    root = ET.fromstring(text)
    shown = ["".join(one.itertext()) for one in root.iter() if one.tag.endswith("}text")]
    assert shown[0] == "home.toml: 2026-07-01 16:00 to 2026-07-01 18:00, America/Moncton"
    assert {"solar", "battery_storage", "net consumption", "peak.1"} <= set(shown)
    assert f".back{{fill:{back}}}" in text
    assert "var(" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_png_has_its_size_and_background(day: Day, theme: str, tmp_path: Path) -> None:
    image = pytest.importorskip("matplotlib.image")
    draw(day, tmp_path / "day.png", theme)
    assert struct.unpack(">II", (tmp_path / "day.png").read_bytes()[16:24]) == (1800, 1080)
    corner = image.imread(tmp_path / "day.png")[2, 2, :3] * 255
    assert corner.round().tolist() == ([255, 255, 255] if theme == "light" else [20, 23, 27])


def test_the_command_refuses_and_writes(config: Path, tmp_path: Path) -> None:
    done = gridsim("plot", config, "--duration", "1h", "-o", "day.svg", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "day.svg written\n"), done.stderr
    assert (tmp_path / "day.svg").read_text().startswith("<svg ")
    done = gridsim("plot", config, "-o", "day.jpg", cwd=tmp_path)
    assert done.stderr == "-o: error: day.jpg: the name must end in .svg, .png, .pdf\n"
    assert done.returncode == 2


def test_a_missing_matplotlib_is_named_before_the_simulation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gridsim.plot.raster import check_installed

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'pip install "gridsim-der\[plot\]", or write an .svg'):
        check_installed()
