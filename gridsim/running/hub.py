"""The hub: hands each tick's result to the ledger, transports, sources and subscribers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gridsim.contracts.results import TickResult
from gridsim.delivery import Runner
from gridsim.ledger import Ledger
from gridsim.running.recovery import Recovery
from gridsim.running.subscription import OnOverflow, Policy, Subscription
from gridsim.sources import Sources


class Hub:
    """The distribution of results in a fixed order: ledger, transports, sources, subscribers.

    `publish` is called from the engine's thread. The ledger blocks it, and so do transports and
    subscribers with `block`, which real time does not permit. The ledger gets the readings of a
    tick before any transport can report their outcome.
    """

    def __init__(self) -> None:
        self._ledger: Ledger | None = None
        self._runners: Sequence[Runner] = ()
        self._sources: Sources | None = None
        self._subscriptions: tuple[Subscription, ...] = ()
        self._recovery: Recovery | None = None

    def connect(
        self,
        ledger: Ledger | None,
        runners: Sequence[Runner],
        sources: Sources,
        recovery: Recovery | None = None,
    ) -> None:
        """Set the receivers besides the subscribers. Call it between two ticks.

        In a resumed run `recovery` decides what transports and sources get.
        """
        self._ledger, self._runners, self._sources = ledger, runners, sources
        self._recovery = recovery

    def publish(self, result: TickResult) -> None:
        """Offer one result to all. Raises LedgerError if the ledger can no longer be written."""
        if self._ledger is not None:
            # Its queue is bounded in readings, and the truth has an entry for every device.
            self._ledger.record(replace(result, truth=None))
        recovery = self._recovery
        for transport, runner in enumerate(self._runners):
            runner.offer(
                result.batch if recovery is None else recovery.batch_for(transport, result)
            )
        if self._sources is not None and (recovery is None or recovery.answers(result.tick)):
            self._sources.offer(result.acknowledgements)
        for subscription in self._subscriptions:
            subscription.offer(result)

    def subscribe(
        self,
        consumer: Callable[[TickResult], None],
        policy: Policy,
        *,
        queue_bytes: int,
        on_full: OnOverflow,
    ) -> Subscription:
        """Call `consumer` with each result from now on, on its own thread."""
        if policy not in ("queue", "latest"):
            raise ValueError(f"policy must be 'queue' or 'latest', not {policy!r}")
        if on_full not in ("drop_oldest", "drop_newest", "block"):
            raise ValueError(f"on_full must be drop_oldest, drop_newest or block, not {on_full!r}")
        subscription = Subscription(
            consumer, policy, queue_bytes=queue_bytes, on_full=on_full, left=self._remove
        )
        self._subscriptions = (*self._subscriptions, subscription)
        subscription.start()
        return subscription

    @property
    def has_queues(self) -> bool:
        """True if a subscriber gets every result."""
        return any(not one.is_latest for one in self._subscriptions)

    def close(self, is_late: Callable[[], bool]) -> bool:
        """Wait until subscribers have taken all queued results; return whether all of them ended.

        Gives up when `is_late` returns True, and on a subscriber that takes nothing for 30 s.
        """
        subscriptions = self._subscriptions
        for subscription in subscriptions:
            subscription.end()
        return all([subscription.finish(is_late) for subscription in subscriptions])  # noqa: C419

    def wake(self) -> None:
        """Wake every offer that waits for room, because the run ends."""
        for runner in self._runners:
            runner.stop_waiting()
        for subscription in self._subscriptions:
            subscription.stop_waiting()

    def refuse_subscribers(self, method: str) -> None:
        """Raise RuntimeError in a subscriber's thread: `method` would wait for it."""
        if any(subscription.is_own_thread() for subscription in self._subscriptions):
            raise RuntimeError(f"{method}() in a subscriber would wait for itself")

    def refuse_blocking_subscribers(self, method: str) -> None:
        """Raise RuntimeError in a subscriber's thread if the run waits for the subscriber."""
        if any(one.is_own_thread() and one.blocks for one in self._subscriptions):
            raise RuntimeError(
                f"{method}() in a subscriber with on_full='block' would wait for itself"
            )

    def _remove(self, subscription: Subscription) -> None:
        self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)
