"""The files of the page: their size, what they may not hold, and the vendored library."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from starlette.requests import Request

import gridsim_plugins
from gridsim_plugins.views.web.site import Page

STATIC = Path(gridsim_plugins.__path__[0]) / "views" / "web" / "static"
LOADED = sorted(
    path for path in STATIC.rglob("*") if path.suffix in (".html", ".css", ".js", ".svg")
)


def test_the_whole_page_is_small() -> None:
    sent = Page().sent
    page = sent["index.html"].plain.decode()
    # Each file that the page names, and no other.
    named = re.findall(r'(?:src|href)="/static/([^"]+)"', page)
    assert sorted(["index.html", *named]) == sorted(sent)
    assert sum(len(file.plain) for file in sent.values()) < 150_000


def test_the_script_of_the_page_has_every_module_after_those_that_it_imports() -> None:
    script = Page().sent["bundle/page.js"].plain.decode()
    assert script.startswith("/*! https://github.com/leeoniya/uPlot (v1.6.32)")
    modules = re.findall(r"^const module_(\w+) = ", script, re.MULTILINE)
    assert sorted(modules) == sorted(
        path.stem for path in STATIC.glob("js/*.js") if path.stem != "theme"
    )
    assert modules[-1] == "main"
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    for path in STATIC.glob("js/*.js"):
        for names, name in re.findall(r"import \{ (.*) \} from \"./(\w+).js\"", path.read_text()):
            assert modules.index(name) < modules.index(path.stem)
            [exported] = re.findall(
                rf"^const module_{name} = .*?^return \{{ ([^{{}}]*) \}};\n\}}\)\(\);$",
                script,
                re.MULTILINE | re.DOTALL,
            )
            assert set(names.split(", ")) <= set(exported.split(", "))


def test_the_page_comes_with_the_values_of_its_first_picture() -> None:
    text = '{"id":"</script><b>"}'
    request = Request({"type": "http", "headers": []})
    answer = Page(text.encode).index(request)
    page = bytes(answer.body).decode()
    [found] = re.findall(r'<script id="first" type="application/json">(.*?)</script>', page)
    assert found == '{"id":"\\u003c/script>\\u003cb>"}'
    assert json.loads(found) == json.loads(text)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", sorted(STATIC.glob("js/*.js")), ids=lambda path: path.name)
def test_scripts_are_sent_without_indentation_and_comments(path: Path) -> None:
    lines = path.read_text().splitlines()
    # A text over several lines would lose its indentation.
    assert [line for line in lines if line.count("`") % 2] == []
    sent = Page()._files[f"js/{path.name}"].plain.decode().splitlines()
    expected = ["" if line.lstrip().startswith("//") else line.lstrip() for line in lines]
    assert sent == expected


def test_the_vendored_files_are_those_of_the_named_release() -> None:
    table = (STATIC / "vendor" / "README.md").read_text()
    digests = dict(re.findall(r"\| `(uPlot[^`]*)` \| `([0-9a-f]{64})` \|", table))
    files = {path.name for path in (STATIC / "vendor").iterdir()} - {"README.md"}
    assert set(digests) == files == {"uPlot.LICENSE", "uPlot.iife.min.js"}
    for name, digest in digests.items():
        assert sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest
    assert (
        digests["uPlot.iife.min.js"]
        == "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"
    )
    assert "(v1.6.32)" in (STATIC / "vendor" / "uPlot.iife.min.js").read_text()[:80]
    assert "uPlot 1.6.32" in table


def test_the_page_has_no_inline_script_or_style_and_loads_nothing_from_elsewhere() -> None:
    page = (STATIC / "index.html").read_text()
    assert "<style" not in page
    assert not re.search(r"\sstyle=|\son[a-z]+=", page)
    assert all(
        re.match(r"\s*src=|\s*id=\"first\" type=\"application/json\">", tag)
        for tag in re.findall(r"<script([^>]*>)", page)
    )
    for url in re.findall(r"(?:src|href)=\"([^\"]+)\"", page):
        assert url.startswith(("/static/", "#", "data:image/svg+xml,"))


@pytest.mark.parametrize("path", [path for path in LOADED if "vendor" not in path.parts], ids=str)
def test_no_text_is_parsed_as_html_or_code(path: Path) -> None:
    text = path.read_text()
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "eval(",
    ):
        assert way not in text
    assert "new Function" not in text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def _luminance(colour: str) -> float:
    digits = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
    shares = [int(digits[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_marks_have_enough_contrast(theme: int) -> None:
    rules = re.findall(r":root[^{]*\{([^}]*)\}", (STATIC / "page.css").read_text())[:2]
    colours = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})[;\s]", rules[theme] + ";"))
    for text in ("text", "soft", "red", "amber", "good"):
        for ground in ("panel", "sunk", "bg"):
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert _contrast(colours["button-on-text"], colours["button-on"]) >= 4.5
    marks = {name: colours[name] for name in ("red-mark", "amber-mark", "given", "load", "strong")}
    table = (STATIC / "js" / "colours.js").read_text()
    for name, *pair in re.findall(r"(\w+): \[\"(#\w{6})\", \"(#\w{6})\"\]", table):
        marks[name] = pair[theme]
    assert len(marks) == 12
    for name, colour in marks.items():
        assert _contrast(colour, colours["panel"]) >= 3.0, name
