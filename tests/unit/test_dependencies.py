"""The dependencies: their licences, and their lock files."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
CORE = PROJECT["project"]["dependencies"]
BROKER = PROJECT["project"]["optional-dependencies"]["broker"]
EXTRAS = [one for extra in PROJECT["project"]["optional-dependencies"].values() for one in extra]
# Licences that permit use in a closed product. MPL-2.0 and the GPL are not among them.
PERMISSIVE = re.compile(
    r"(0BSD|3-Clause BSD|Apache|BSD|CC0|HPND|ISC|MIT|MIT-0|MIT-CMU|PSF|Python Software Foundation|"
    r"Zlib)\b"
)
EXCEPTIONS = {
    "certifi": "MPL-2.0: a list of certificates, used unchanged",
    "psycopg": "LGPL-3.0: of the extra postgres, imported unchanged",
    "psycopg-binary": "LGPL-3.0: of the extra postgres, imported unchanged",
}


def installed(requirements: list[str]) -> dict[str, Distribution]:
    """Return the distributions that these need here, with those that they need in turn."""
    found: dict[str, Distribution] = {}
    waiting = [(Requirement(one), "") for one in requirements]
    while waiting:
        one, extra = waiting.pop()
        name = canonicalize_name(one.name)
        if name in found or (one.marker and not one.marker.evaluate({"extra": extra})):
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        needed = [Requirement(text) for text in found[name].requires or ()]
        waiting += [(need, own) for need in needed for own in ("", *one.extras)]
    return found


def licences(one: Distribution) -> list[str]:
    """Return the licences among which a distribution lets us choose: its SPDX expression, or the
    names of its classifiers.
    """
    metadata = one.metadata
    if expressions := metadata.get_all("License-Expression"):
        return str(expressions[0]).split(" OR ")
    classifiers = metadata.get_all("Classifier") or []
    named = [text.split(" :: ")[-1] for text in classifiers if text.startswith("License ::")]
    return named or [str(text).splitlines()[0] for text in metadata.get_all("License") or []]


def is_permissive(licence: str) -> bool:
    return all(PERMISSIVE.match(part.strip("() ")) for part in licence.split(" AND "))


def test_every_dependency_may_be_used_in_a_closed_product() -> None:
    found = installed([*CORE, *EXTRAS])
    assert {"paho-mqtt", "numpy", "websockets", "pyarrow"} <= set(found)
    refused = {
        name: licences(one)
        for name, one in found.items()
        if name not in EXCEPTIONS and not any(map(is_permissive, licences(one)))
    }
    assert refused == {}


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("MIT AND PSF-2.0", True),
        ("MIT License", True),
        ("BSD-3-Clause AND GPL-3.0-only", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("MITRE", False),
        ("unknown", False),
    ],
)
def test_what_is_permissive(licence: str, expected: bool) -> None:
    assert is_permissive(licence) == expected


@pytest.mark.parametrize(
    ("file", "requirements"),
    [
        ("core.txt", CORE),
        ("run.txt", [*CORE, *BROKER]),
        ("dev.txt", [*CORE, *BROKER, *PROJECT["dependency-groups"]["dev"]]),
    ],
)
def test_the_lock_file_has_what_the_project_needs(file: str, requirements: list[str]) -> None:
    text = (ROOT / "requirements" / file).read_text()
    blocks = re.split(r"\n(?=[a-z])", text)[1:]
    assert [block[:40] for block in blocks if " --hash=sha256:" not in block] == []
    locked: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE):
        locked.setdefault(name, []).append(version)
    for one in map(Requirement, requirements):
        versions = locked.get(canonicalize_name(one.name), [])
        hint = f"{one} is not in requirements/{file}: run `make lock`"
        assert versions, hint
        assert all(one.specifier.contains(version) for version in versions), hint


def test_the_broker_that_pins_a_version_of_websockets_is_an_extra() -> None:
    """So that gridsim can be installed beside programs that need another version."""
    core = (ROOT / "requirements" / "core.txt").read_text()
    assert not re.search(r"^(amqtt|websockets)==", core, re.MULTILINE)
