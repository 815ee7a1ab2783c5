"""Settings of the whole test run."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from loguru import logger

from gridsim.logs import disable_once
from gridsim.plugins.host import PluginHost
from gridsim.plugins.registry import Registry
from gridsim_plugins.weather.synthetic.clouds import CloudField, make_field

# A deadline would be an assertion about time, and machines are shared; so would the check of how
# fast the examples are made. The examples are the same in every run, so that a change lands or
# fails by what it changes. `make properties` tries others, and more of them.
_NO_LIMIT_OF_TIME = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("gridsim", _NO_LIMIT_OF_TIME, derandomize=True, max_examples=30)
settings.register_profile("thorough", _NO_LIMIT_OF_TIME, max_examples=1000)
settings.load_profile("gridsim")

# Collecting the tests makes very many objects, which all stay. Going through them for garbage
# again and again would take a sixth of that time, and some of the time of the tests.
gc.disable()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores: many tests wait for other processes."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True, scope="session")
def _runtime_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the runtime files of these tests apart from other runs and from parallel tests.

    A command looks for runs in the folder for temporary files, too.
    """
    runtime, temporary = (str(tmp_path_factory.mktemp(name)) for name in ("runtime", "tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        patch.setenv("TMPDIR", temporary)
        patch.setattr(tempfile, "tempdir", temporary)
        yield


@pytest.fixture(autouse=True, scope="session")
def _nested_runs_are_lean() -> Iterator[None]:
    """Leave out the plugin of schemathesis in the runs of pytest that tests start, too."""
    with pytest.MonkeyPatch.context() as patch:
        options = f"{os.environ.get('PYTEST_ADDOPTS', '')} -p no:schemathesis"
        patch.setenv("PYTEST_ADDOPTS", options.strip())
        yield


@pytest.fixture(autouse=True, scope="session")
def _logs_are_enabled() -> None:
    """Disable the logs once, as the first use in a program does, and enable them for all tests."""
    disable_once()
    for package in ("gridsim", "gridsim_plugins"):
        logger.enable(package)


@pytest.fixture(autouse=True, scope="session")
def _installed_once() -> Iterator[None]:
    """Load the installed plugins once: it was most of what the plan of a small run costs."""
    load_installed = PluginHost.load_installed

    @cache
    def found(path: tuple[str, ...]) -> Registry:
        host = PluginHost()
        load_installed(host)
        return host.registry

    def load(host: PluginHost) -> None:
        known = found(tuple(sys.path))
        for entry in known:
            host.registry.add(entry)
        host.registry.broken += known.broken

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginHost, "load_installed", load)
        yield


@pytest.fixture(autouse=True, scope="session")
def _one_sky_for_each_seed() -> Iterator[None]:
    """Keep the cloud fields that were made: they are most of what a short simulation costs."""
    kept = dict[str, CloudField]()

    def one(generator: np.random.Generator, size: int, spacing_m: float) -> CloudField:
        key = f"{generator.bit_generator.state} {size} {spacing_m}"
        if key not in kept:
            if len(kept) == 16:
                kept.pop(next(iter(kept)))
            kept[key] = make_field(generator, size, spacing_m)
            kept[key].points.flags.writeable = False
            kept[key].quantiles.flags.writeable = False
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gridsim_plugins.weather.synthetic.plugin.make_field", one)
        yield


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """Return the lines that are logged during the test, each with its level."""
    lines: list[str] = []
    handler = logger.add(lines.append, format="{level} {message}")
    yield lines
    logger.remove(handler)
