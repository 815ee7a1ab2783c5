"""The plugin host: it finds plugins, loads them, and has them register their types."""

from __future__ import annotations

import importlib.util
import sys
from difflib import get_close_matches
from functools import cache
from hashlib import blake2b
from importlib.abc import InspectLoader
from importlib.metadata import Distribution, entry_points
from pathlib import Path
from types import ModuleType

import pluggy
from loguru import logger
from pluggy import HookimplOpts

from gridsim.errors import UsageError, described, is_interrupt, printable
from gridsim.plugins import hookspecs
from gridsim.plugins.identity import hash_of
from gridsim.plugins.registry import BrokenPlugin, Registrar, Registry
from gridsim.plugins.trust import writable_by_others

GROUP = "gridsim"
_HOOK = "gridsim_register"


class _Manager(pluggy.PluginManager):
    """A plugin manager that looks for hooks among a module's functions only.

    pluggy examines each name. Most are imported classes, and they take most of the loading time.
    """

    def parse_hookimpl_opts(self, plugin: object, name: str) -> HookimplOpts | None:
        """Return the options of the hook that a module has under a name, if it is one."""
        value = vars(plugin).get(name)
        if isinstance(value, type) or not callable(value):
            return None
        return super().parse_hookimpl_opts(plugin, name)


class PluginHost:
    """A loader of the installed plugins and of local ones, into one registry."""

    def __init__(self) -> None:
        self.registry = Registry()
        self._manager = _Manager(GROUP)
        self._manager.add_hookspecs(hookspecs)

    def load_installed(self) -> None:
        """Load every entry point of the group `gridsim`.

        A plugin that fails is listed in the registry as broken: only a configuration that uses
        it is refused. pluggy's own loader would end at the first failure, and would drop a
        second plugin of the same name.
        """
        # Each distribution's metadata is parsed once, and not for each of its plugins.
        title = cache(_title)
        for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
            owner = title(point.dist) if point.dist is not None else point.value
            try:
                module = point.load()
            except BaseException as error:
                if is_interrupt(error):
                    raise
                reason = described(error)
                self.registry.broken.append(BrokenPlugin(point.name, owner, reason))
                continue
            self._register(module, f"{owner} {point.value}", owner)

    def load_local(self, path: Path) -> None:
        """Load a file, a package, or every module of a folder. Raises UsageError."""
        if path.is_dir() and not (path / "__init__.py").exists():
            files = sorted(f for f in path.glob("*.py") if not f.name.startswith("_"))
            if not files:
                raise UsageError(f"the plugin folder {path} holds no Python file")
            for file in files:
                self.load_local(file)
            return
        source = path / "__init__.py" if path.is_dir() else path
        if not source.is_file():
            raise UsageError(f"there is no plugin file {path}")
        if (who := writable_by_others(source)) is not None:
            logger.warning(
                "{} may be changed by other users, and the plugin {} runs with your rights; "
                "chmod o-w {}",
                who,
                path,
                who,
            )
        self._register(_execute(source, path), str(path.resolve()), str(path))

    def _register(self, module: ModuleType, key: str, owner: str) -> None:
        if self._manager.has_plugin(key):
            return
        try:
            self._manager.register(module, key)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise UsageError(f"{owner}: {_misspelt(module) or error}") from error
        except ValueError as error:
            raise UsageError(f"{owner}: its module is already loaded as another plugin") from error
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not module]
        hook = self._manager.subset_hook_caller(_HOOK, others)
        if not hook.get_hookimpls():
            raise UsageError(f"{owner}: it has no function {_HOOK} marked with @hookimpl")
        try:
            hook(register=Registrar(self.registry, owner))
        except UsageError:
            raise
        except BaseException as error:
            if is_interrupt(error):
                raise
            raise UsageError(f"{owner}: {_HOOK} failed: {described(error)}") from error


def _title(distribution: Distribution) -> str:
    return f"{distribution.name} {distribution.version}"


def _execute(source: Path, path: Path) -> ModuleType:
    """Load a file as a module with a unique name.

    Changed code is another module: the ledger has the hash of the code that ran.
    """
    try:
        code = hash_of(path)
    except OSError as error:
        raise UsageError(f"the plugin {path} cannot be read: {error.strerror}") from error
    digest = blake2b(f"{path.resolve()}\0{code}".encode(), digest_size=8).hexdigest()
    name = f"gridsim_local_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    folder = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, source, submodule_search_locations=folder)
    if spec is None or spec.loader is None:
        raise UsageError(f"the plugin {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Before it is executed: dataclasses and pickle look their module up by name.
    sys.modules[name] = module
    try:
        # Not from a cached file, which may be that of the code before a quick edit.
        exec(InspectLoader.source_to_code(source.read_bytes(), str(source)), vars(module))
    except BaseException as error:
        if is_interrupt(error):
            raise
        del sys.modules[name]
        raise UsageError(
            f"the plugin {path} could not be loaded: {_where(error, source)}"
            f"{type(error).__name__}: {printable(error)}"
        ) from error
    return module


def _where(error: BaseException, source: Path) -> str:
    """Return `line N: ` for the innermost frame in the plugin's own file."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None and not isinstance(error, SyntaxError):
        if trace.tb_frame.f_code.co_filename == str(source):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line}: " if line is not None else ""


def _misspelt(module: ModuleType) -> str:
    for name in vars(module):
        if name.startswith("gridsim_") and name != _HOOK and get_close_matches(name, [_HOOK]):
            return f"there is no hook {name!r}; did you mean {_HOOK!r}?"
    return ""
