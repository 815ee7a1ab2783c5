"""A new plugin, as a package or as one file, from the template of its kind.

The templates are modules of this package, and the tests run them. In a new plugin, its own name
replaces theirs.
"""

from __future__ import annotations

import keyword
import os
import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from gridsim.errors import UsageError, printable
from gridsim.plugins.kinds import KINDS
from gridsim.plugins.registry import Registry

TITLES: Mapping[str, str] = {
    "der": "A DER type",
    "transport": "A transport",
    "format": "A format",
    "weather": "A weather",
    "load": "A load",
    "baseline": "A baseline",
    "source": "A source of commands",
    "fault": "A fault",
    "view": "A view",
    "probe": "A transport with its probe",
}
"""The kinds of plugins, each with a title."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_LONGEST = 24
_IN_TEMPLATES = re.compile(r"\bnew-name\b|newname|NewName")


@dataclass(frozen=True, slots=True)
class NewPlugin:
    """The files of a new plugin, which are not written yet."""

    kind: str
    name: str
    files: Mapping[str, str]
    """The texts by path, relative to the folder that the plugin is put in."""

    @property
    def root(self) -> str:
        """The folder of the package, or the only file."""
        return next(iter(self.files)).partition("/")[0]

    def write(self, folder: Path) -> None:
        """Write the files. Raises UsageError if one is already there or cannot be written."""
        root = folder / self.root
        was_there = root.is_dir() and not any(root.iterdir())
        if not was_there and os.path.lexists(root):
            raise UsageError(
                f"{root}: error: the path already exists and was not changed; choose another name, "
                "or another folder with --into"
            )
        for path, text in self.files.items():
            try:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text, encoding="utf-8")
            except OSError as error:
                with suppress(OSError):
                    shutil.rmtree(root) if root.is_dir() else root.unlink()
                reason = "Not a directory" if isinstance(error, FileExistsError) else error.strerror
                raise UsageError(f"{folder / path}: error: cannot be written: {reason}") from error


def new_plugin(kind: str, name: str, registry: Registry, *, single_file: bool) -> NewPlugin:
    """Return a plugin of a kind. Raises UsageError if there is no such kind, or for the name."""
    if kind not in TITLES:
        raise UsageError(
            f"gridsim new: error: there is no kind '{printable(kind)}'; "
            f"the kinds are {', '.join(TITLES)}"
        )
    template = files("gridsim.templates.plugins")
    code = template.joinpath(kind, "newname.py").read_text(encoding="utf-8")
    _check(kind, name, registry, code)
    if single_file:
        return NewPlugin(kind, name, {f"{name}.py": _named(code, name)})
    if find_spec(f"gridsim_{name}") is not None:
        raise UsageError(
            f"gridsim new: error: the module gridsim_{name} is already installed; "
            "choose another name"
        )
    texts = {
        f"gridsim_{name}.py": code,
        f"tests/test_{name}.py": template.joinpath(kind, "test_newname.py").read_text("utf-8"),
        f"{name}.toml": template.joinpath(kind, "newname.toml").read_text("utf-8"),
    }
    texts = {path: _named(text, name) for path, text in texts.items()}
    for path in ("pyproject.toml", "README.md"):
        text = template.joinpath("package", path).read_text("utf-8")
        texts[path] = _named(text.replace("{title}", TITLES[kind]).replace("{kind}", kind), name)
    return NewPlugin(kind, name, {f"{name}/{path}": text for path, text in texts.items()})


def class_name(name: str) -> str:
    """Return the name of a plugin's class: IceRink of ice_rink."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _check(kind: str, name: str, registry: Registry, code: str) -> None:
    """Raise UsageError if a plugin of this kind cannot have this name."""
    problem = ""
    if not name.isascii() or not _NAME.fullmatch(name):
        near = "_".join(re.findall(r"[a-z][a-z0-9]*", _snake(name)))
        near = near[:_LONGEST].strip("_") or "ice_rink"
        problem = "must start with a letter and have only lower-case letters, digits and single "
        problem += f"underscores, such as {near}"
    elif len(name) > _LONGEST:
        problem = f"has {len(name)} characters; the most are {_LONGEST}"
    elif keyword.iskeyword(name) or keyword.issoftkeyword(name):
        problem = "is a Python keyword; choose another"
    elif name == "newname" or name in sys.stdlib_module_names or _is_module(name):
        problem = "is the name of a module; choose another"
    elif re.search(rf"\b{class_name(name)}\b", code):
        problem = f"gives the class {class_name(name)}, a name that its module uses; choose another"
    if problem:
        raise UsageError(f"gridsim new: error: the name '{printable(name)}' {problem}")
    for taken in (kind, "transport") if kind == "probe" else (kind,):
        if (other := registry.find(taken, name)) is not None:
            raise UsageError(
                f"gridsim new: error: {other.owner} already has the {KINDS[taken]} {name!r}; "
                "choose another name"
            )


def _is_module(name: str) -> bool:
    """Return whether a package or module of this name is installed; a folder without `__init__.py`
    does not count.
    """
    spec = find_spec(name)
    return spec is not None and spec.origin is not None


def _snake(name: str) -> str:
    """Return a name in lower case, with an underscore before each capital letter."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _named(text: str, name: str) -> str:
    """Return a template's text with the plugin's name, for a separate package."""
    own = {"new-name": name.replace("_", "-"), "newname": name, "NewName": class_name(name)}
    text = text.replace("from .newname import", "from gridsim_newname import")
    return _IN_TEMPLATES.sub(lambda found: own[found[0]], text)
