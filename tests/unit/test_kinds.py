"""The kinds of plugins: what registry, configuration, schema and contracts make of them."""

from __future__ import annotations

import inspect
import re
import typing
from pathlib import Path
from typing import Any

import pytest

import gridsim.api
from gridsim.api import Device, DeviceFault, Fault, Fleet, MessageFault, Register
from gridsim.config.resolve import Flags, resolve
from gridsim.config.schema import build
from gridsim.config.tables.core import TABLES, TOP_LEVEL
from gridsim.config.text.load import read
from gridsim.config.text.report import ConfigError
from gridsim.errors import UsageError
from gridsim.plugins.kinds import KINDS, Kind
from gridsim.plugins.registry import Registrar, Registry
from tests.fixtures.config.fakes import MINIMAL, registry


def declared() -> dict[str, Any]:
    """The methods of `Register`, with the annotation of the type that each takes."""
    methods = inspect.getmembers(Register, inspect.isfunction)
    return {
        name: typing.get_type_hints(method)[[*inspect.signature(method).parameters][2]]
        for name, method in methods
        if not name.startswith("_")
    }


def test_authors_can_register_exactly_the_kinds_that_there_are() -> None:
    assert set(declared()) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_a_kind_takes_what_register_declares(kind: Kind) -> None:
    annotation = declared()[kind.name]
    members = typing.get_args(annotation)
    one_type = typing.get_origin(annotation) is type
    allowed = members if one_type else [typing.get_args(member)[0] for member in members]
    for base in kind.bases:
        assert getattr(gridsim.api, base.__name__) is base
        assert any(issubclass(base, typing.get_origin(one) or one) for one in allowed), base


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_a_class_of_another_base_is_refused_with_the_bases(kind: Kind) -> None:
    made = Registry()
    bases = " or ".join(f"gridsim.api.{base.__name__}" for base in kind.bases)
    for wrong in (int, "text", None):
        with pytest.raises(UsageError, match=f"must be a class derived from {re.escape(bases)}$"):
            getattr(Registrar(made, "mine 1.0"), kind.name)("x", wrong)
    assert list(made) == []


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_a_class_of_any_base_of_the_kind_is_registered(kind: Kind) -> None:
    made = Registry()
    for base in kind.bases:
        derived = type("Mine", (base,), {})
        getattr(Registrar(made, "mine 1.0"), kind.name)(base.__name__, derived)
    assert made.names(kind.name) == sorted(base.__name__ for base in kind.bases)
    assert {entry.owner for entry in made} == {"mine 1.0"}


def test_a_device_is_registered_as_a_fleet() -> None:
    made = Registry()
    Registrar(made, "mine").der("kettle", type("Kettle", (Device,), {"step": lambda *_: 0.0}))
    entry = made.find("der", "kettle")
    assert entry is not None
    assert issubclass(entry.type, Fleet)
    assert entry.type.reported_type == "kettle"


def test_a_fault_is_of_a_device_or_of_a_message() -> None:
    assert KINDS["fault"].bases == (DeviceFault, MessageFault)
    with pytest.raises(UsageError, match=r"DeviceFault or gridsim\.api\.MessageFault"):
        Registrar(Registry(), "mine").fault("vague", type("Vague", (Fault,), {}))


def test_a_kind_that_is_none_is_named_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match="no kind of plugin 'transpot'; did you mean 'transp"):
        Registrar(Registry(), "mine").transpot("x", int)


def test_a_table_stands_in_a_table_that_there_is() -> None:
    for kind in KINDS.values():
        assert kind.parent in (None, "", *TABLES), kind


def test_top_level_tables() -> None:
    assert sorted(TOP_LEVEL) == [
        "checkpoint", "defaults", "events", "execution", "faults", "ledger", "projects",
        "simulation", "site", "sources", "transports", "views", "weather",
    ]  # fmt: skip


def test_where_no_plugin_of_a_kind_is_installed_the_remedy_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(MINIMAL, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        resolve(read(path, environment={}), Registry(), now_ms=0, flags=Flags())
    assert "there is no baseline 'expectation': none is installed" in str(error.value)
    assert "there is no load 'household': none is installed" in str(error.value)
    assert "install gridsim-der again (in a checkout: pip install -e .)" in str(error.value)


def test_the_schema_has_the_tables_of_every_kind() -> None:
    schema = build(registry())
    assert set(schema["properties"]) == set(TOP_LEVEL)
    assert schema["required"] == ["projects"]
    for kind in KINDS.values():
        assert (kind.name in schema["$defs"]) == (kind.table is not None)
