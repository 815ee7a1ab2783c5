"""The driver's side of the engine `ray`: the cluster, and the hosts of its shards."""

from __future__ import annotations

import logging
import os
import pickle
import re
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from loguru import logger

from gridsim.errors import GridsimError, UsageError
from gridsim.running.shards.calls import CallAnswer, CalledHost
from gridsim.running.shards.messages import ShardLostError, ShardRefusedError, ShardSpec
from gridsim.running.shards.portable import portable
from gridsim.running.shards.ray_actor import VERSIONS, ActorPlace, ShardActor, Versions

_OBJECT_STORE: Final = 80_000_000
"""Near the least that Ray permits: no batch goes through it."""
_REACH_S: Final = 5.0
_LOOK_S: Final = 0.1
# How long a shard may wait for a place: a cluster that grows by itself takes minutes.
_PLACE_S: Final = 600.0
_TELL_S: Final = 60.0
_STOP_S: Final = 5.0


class RayHosts:
    """A connection to a Ray cluster, which makes the hosts of a run's shards.

    Without an address it is a cluster of this process alone, on the loopback interface, which ends
    with it.
    """

    def __init__(self, address: str, shards: int) -> None:
        """Connect to nothing yet. Raises UsageError if Ray is not installed.

        `shards` is the number of CPUs that a cluster of this process gets.
        """
        self._ray = _import_ray()
        self._address, self._shards = address, shards
        self._folder = ""
        self._actors: dict[str, Any] = {}
        self._closing = threading.Event()
        self._opening = threading.Lock()
        self._owns = False

    def open(self) -> None:
        """Start or reach the cluster; a second call does nothing.

        Raises UsageError, or GridsimError if Ray does not start.
        """
        with self._opening:
            if self._ray.is_initialized():
                return
            try:
                with _own_signals():
                    if self._address:
                        check_reachable(self._address)
                        _check_is_node(self._address)
                        self._ray.init(address=self._address, **_QUIET)
                    else:
                        self._start()
                self._owns = True
            except GridsimError:
                raise
            except Exception as error:
                shutil.rmtree(self._folder, ignore_errors=True)
                raise GridsimError(f"[execution] engine: error: Ray: {reason_of(error)}") from error

    def cores(self) -> int:
        """Return the number of CPUs of the cluster."""
        self.open()
        return int(self._ray.cluster_resources().get("CPU", 1))

    def make(self, spec: ShardSpec) -> RayHost:
        """Return the host of a shard, in its actor; one that was lost is used again.

        Raises ShardLostError if the actor cannot be placed, and UsageError if its node has another
        version of gridsim.
        """
        actor = self._actors.get(spec.name)
        if actor is None:
            actor = self._actors[spec.name] = self._new_actor()
        spec, environment = portable(spec)
        versions, place = self._made(actor, spec, environment)
        if tuple(versions) != tuple(VERSIONS):
            raise UsageError(
                f"[execution] address: error: the node {place.host} has gridsim {versions.gridsim} "
                f"on Python {versions.python}, and the driver {VERSIONS.gridsim} on "
                f"{VERSIONS.python}: they must be the same"
            )
        return RayHost(self._ray, actor, spec.name, place, is_local=not self._address)

    def _made(
        self, actor: Any, spec: ShardSpec, environment: Mapping[str, str]
    ) -> tuple[Versions, ActorPlace]:
        """Make a shard in an actor, once it has a place."""
        errors = self._ray.exceptions
        began, told = time.monotonic(), False
        call = actor.make.remote(VERSIONS, spec, environment)
        while not self._closing.is_set():
            try:
                return self._ray.get(call, timeout=_LOOK_S)  # type: ignore[no-any-return]
            except errors.GetTimeoutError:
                pass
            except errors.ActorUnavailableError:
                # Ray is starting it again.
                self._closing.wait(_LOOK_S)
                call = actor.make.remote(VERSIONS, spec, environment)
            except errors.RayError as error:
                del self._actors[spec.name]
                raise GridsimError(f"{spec.name}: Ray: {reason_of(error)}") from error
            waited_s = time.monotonic() - began
            if waited_s > _PLACE_S:
                raise ShardLostError(f"{spec.name}: no node of the cluster has a free CPU for it")
            if self._address and waited_s > _TELL_S and not told:
                logger.warning("{} waits for a node of the cluster with a free CPU", spec.name)
                told = True
        raise ShardLostError(f"{spec.name}: the run is being stopped")

    def close(self) -> None:
        """End the actors, and the cluster if it is this process's. A second call does nothing."""
        self._closing.set()
        actors, self._actors = self._actors, {}
        for actor in actors.values():
            self._ray.kill(actor)
        if self._owns and self._ray.is_initialized():
            with _own_signals():
                self._ray.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        # The paths of sockets must be short.
        root = "/tmp" if os.path.isdir("/tmp") else None
        # Others may write to a folder that Ray uses, but cannot enter the one around it.
        self._folder = tempfile.mkdtemp(prefix="gridsim-ray-", dir=root)
        self._ray.init(
            address="local",
            num_cpus=max(self._shards, os.cpu_count() or 1),
            num_gpus=0,
            object_store_memory=_OBJECT_STORE,
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=os.path.join(self._folder, "r"),
            **_QUIET,
        )

    def _new_actor(self) -> Any:
        kind = self._ray.remote(ShardActor)
        return kind.options(
            num_cpus=1, max_restarts=-1, max_task_retries=0, scheduling_strategy="SPREAD"
        ).remote()


_QUIET: Final[Mapping[str, Any]] = {
    "configure_logging": False,
    "log_to_driver": False,
    "logging_level": "error",
}


class RayHost(CalledHost):
    """The `ShardHost` of an actor."""

    def __init__(
        self, ray: Any, actor: Any, name: str, place: ActorPlace, *, is_local: bool
    ) -> None:
        """Take over an actor with a shard that has not started."""
        self._ray, self._actor, self._name = ray, actor, name
        self.place = place
        """The process of the actor."""
        self._is_local = is_local

    def prepare(self) -> None:
        """Make the plan of the shard."""
        try:
            super().prepare()
        except ShardRefusedError as error:
            if self._is_local:
                raise
            raise ShardRefusedError(
                f"{error}\n{self._name} runs on the node {self.place.host}: the files that the "
                "configuration names must be there, at the same place",
                error.exit_status,
            ) from error

    def close(self) -> None:
        """End the shard if it is still up. Its actor ends with the cluster's hosts."""
        with suppress(self._ray.exceptions.RayError):
            self._ray.get(self._actor.call.remote("close", ()), timeout=_STOP_S)

    def _call(self, method: str, *arguments: Any) -> Any:
        where = f"its process {self.place.pid} on {self.place.host}"
        try:
            size, data = self._ray.get(self._actor.call.remote(method, arguments))
            while len(data) < size:
                data += self._ray.get(self._actor.rest.remote(len(data)))
        except self._ray.exceptions.ActorUnavailableError as error:
            raise ShardLostError(
                f"{self._name}: {where} was killed, or cannot be reached"
            ) from error
        except self._ray.exceptions.RayError as error:
            raise ShardLostError(f"{self._name}: {where} is lost: {reason_of(error)}") from error
        answer: CallAnswer = pickle.loads(data)
        return answer.taken()


def _import_ray() -> Any:
    """Return the package. Raises UsageError if it is not installed."""
    # Before the import, which reads them. The first keeps the ports of a cluster without an address
    # from the network; it has no effect on one with an address.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise UsageError(
            "[execution] engine: error: ray is not installed: pip install 'gridsim-der[ray]'"
        ) from None
    # What it warns of at the start concerns its own settings.
    logging.getLogger("ray").setLevel(logging.ERROR)
    return ray


def check_reachable(address: str) -> None:
    """Raise UsageError if nothing answers at an address, for which Ray would wait a minute."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise UsageError(
            f'[execution] address: error: {address}: must be "HOST:PORT" of the head of the '
            'cluster, such as "10.0.0.5:6379", or "auto" on one of its nodes'
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_S).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"[execution] address: error: no Ray cluster answers at {address}: {error}"
        ) from None


def _check_is_node(address: str) -> None:
    """Raise UsageError if this machine is not a node of a cluster, as a driver's must be."""
    try:
        from ray._private.services import find_node_ids

        is_node = bool(find_node_ids())
    except ImportError:
        # It is not a part of Ray's interface. Without it, Ray raises an error later.
        return
    if not is_node:
        raise UsageError(
            f"[execution] address: error: this machine is not a node of a Ray cluster: run "
            f"gridsim on one of its nodes, for example as a Ray job, or make this machine one "
            f"with `ray start --address={address} --num-cpus=0`"
        )


@contextmanager
def _own_signals() -> Iterator[None]:
    """Restore the handler of SIGTERM, which Ray replaces."""
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if is_main and handler is not None:
            signal.signal(signal.SIGTERM, handler)


def reason_of(error: BaseException) -> str:
    """Return what a user needs of an error of Ray, which has many lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (named or lines or [type(error).__name__])[-1 if named else 0]
