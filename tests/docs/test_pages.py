"""The pages of the documentation: their configurations, commands, links and messages are right."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli
import typer.core
from typer.main import get_command

from gridsim.check.system import read_system
from gridsim.cli import app
from gridsim.config.resolve import Flags
from gridsim.running.plan import Options, load_plugins, make_plan

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
GENERATED = {
    "settings.md",
    "tutorials.md",
    "reference.md",
    "python-reference.md",
    "realism.md",
    "reliability.md",
    "fuzzing.md",
}
"""Pages that scripts write, from what other tests check."""

PROJECT = """
[[projects]]
id = "HOME_1"
contract_threshold = 2.0
[[projects.ders]]
id = "HOME_PV"
type = "solar"
nameplate_capacity = 5.0
"""
STDOUT = '\n[[transports]]\ntype = "stdout"\n'
METER = "time,Last\n0:00,400\n12:00,500\n24:00,400\n"
STATION = "time,ghi,dni,dhi,temperature,wind\n" + "".join(
    f"{day}T{hour:02}:00Z,0,0,0,3,2\n" for day in ("2026-07-01", "2026-07-02") for hour in range(24)
)


def blocks(*languages: str) -> Iterator[tuple[str, str]]:
    """Yield the text and a name of each code block in one of the languages."""
    for page in PAGES:
        if page.name in GENERATED:
            continue
        text = page.read_text()
        pattern = rf"^```({'|'.join(languages)})\n(.*?)^```"
        for number, match in enumerate(re.finditer(pattern, text, re.MULTILINE | re.DOTALL), 1):
            yield match[2], f"{page.name}-{number}"


def completed(block: str) -> str:
    """Return a block with the tables that a whole configuration needs."""
    if block.startswith("format"):
        return PROJECT + STDOUT + block
    if block.startswith("load"):
        return PROJECT.replace("[[projects.ders]]", block + "[[projects.ders]]") + STDOUT
    keys = set(tomli.loads(block))
    if not keys & {"projects"}:
        block = PROJECT + block if "[" in block.splitlines()[0] else block + PROJECT
    return block if "transports" in keys else block + STDOUT


@pytest.mark.parametrize(
    "block",
    # Those with plugins are tested with them: test_outputs.py, test_plugins.py.
    [
        pytest.param(text, id=name)
        for text, name in blocks("toml")
        if "plugins =" not in text and "[system]" not in text
    ],
)
def test_configurations_are_valid(block: str, tmp_path: Path) -> None:
    path = tmp_path / "page.toml"
    path.write_text(completed(block))
    (tmp_path / "meter.csv").write_text(METER)
    (tmp_path / "station.csv").write_text(STATION)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "mqtt").write_text("a password\n")
    flags = Flags(start="2026-07-01T12:00:00Z")
    assert len(make_plan(Options(config=path, flags=flags)).configuration.scenario.roster) > 0


@pytest.mark.parametrize(
    "block", [pytest.param(text, id=name) for text, name in blocks("toml") if "[system]" in text]
)
def test_files_of_a_system_are_valid(block: str, tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()
    (tmp_path / "days/my-own.toml").touch()
    path = tmp_path / "my-system.toml"
    path.write_text(block.replace("${MQTT_PASSWORD}", "${MQTT_PASSWORD:-p}"))
    assert read_system(path, load_plugins(()).registry).days


def command_lines() -> Iterator[str]:
    """Yield the commands of gridsim in the pages, each once."""
    for block, _ in blocks("console", "sh"):
        lines = block.replace("\\\n", " ").splitlines()
        prompt = "$ " if any(line.startswith("$ ") for line in lines) else ""
        for line in lines:
            words = line.removeprefix("$ ").split(" | ")[0] if line.startswith(prompt) else ""
            if re.match(r"(\.venv/bin/)?gridsim( |$)", words):
                yield words


@pytest.mark.parametrize("line", sorted(set(command_lines())))
def test_commands_exist_with_their_options(line: str) -> None:
    # These act while the line is parsed: one of them writes into the user's shell.
    acting = {"--install-completion", "--show-completion", "--help", "--version"}
    words = [word for word in shlex.split(line, comments=True)[1:] if word not in acting]
    group = get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    context = group.make_context("gridsim", list(words))
    rest = [*context._protected_args, *context.args]
    while rest:
        name, command, rest = group.resolve_command(context, rest)
        assert command is not None
        command.make_context(name, rest, parent=context)
        rest = []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_contents() -> None:
    named = set(re.findall(r"^([a-z-]+)$", (ROOT / "docs/index.md").read_text(), re.MULTILINE))
    assert named == {page.stem for page in PAGES if page.name != "README.md"} - {"index"}


def test_the_messages_of_troubleshooting_are_those_of_the_source() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text()
    source = "".join(
        path.read_text()
        for folder in ("gridsim", "plugins")
        for path in (ROOT / folder).rglob("*.py")
    )
    source = re.sub(r'"\s*\n\s*[rf]*"', "", source)
    terms = re.findall(r"^(`.*`.*)\n: ", page, re.MULTILINE)
    assert len(terms) > 15
    for term in terms:
        for message in re.findall(r"`([^`]+)`", term):
            if message.startswith("gridsim "):
                continue
            # Numbers and names differ; what is between them is the message.
            parts = re.split(r"\.\.\.|\d[\d.,:]*( s\b)?|\[\[\w+\]\]", message)
            for part in (part.strip(" ;:()") for part in parts if part):
                assert part in source, f"{part!r} of {message!r} is nowhere in the source"
