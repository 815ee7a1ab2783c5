"""The hub: hands each tick's result to the ledger, transports, sources and subscribers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gridsim.contracts.results import TickResult
from gridsim.delivery import Runner
from gridsim.ledger import Ledger
from gridsim.running.subscription import OnOverflow, Policy, Subscription
from gridsim.sources import Sources


class Hub:
    """Offers results in a fixed order: ledger, transports, sources, subscribers.

    `publish` is called from the engine's thread. The ledger alone blocks it, and at speed 0
    whatever was subscribed with `block`; the readings of a tick are in the ledger's hands
    before any transport can report their fate.
    """

    def __init__(self) -> None:
        self._ledger: Ledger | None = None
        self._runners: Sequence[Runner] = ()
        self._sources: Sources | None = None
        self._subscriptions: tuple[Subscription, ...] = ()

    def connect(self, ledger: Ledger | None, runners: Sequence[Runner], sources: Sources) -> None:
        """Say who gets results besides the subscribers; called before the first tick."""
        self._ledger, self._runners, self._sources = ledger, runners, sources

    def publish(self, result: TickResult) -> None:
        """Hand on one result. Raises LedgerError if the ledger cannot be written any more."""
        if self._ledger is not None:
            self._ledger.record(result)
        for runner in self._runners:
            runner.offer(result.batch)
        if self._sources is not None:
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
        """Call `consumer` with the results from now on, on a thread of its own."""
        subscription = Subscription(
            consumer, policy, queue_bytes=queue_bytes, on_full=on_full, left=self._remove
        )
        self._subscriptions = (*self._subscriptions, subscription)
        subscription.start()
        return subscription

    def close(self, timeout_s: float) -> bool:
        """Let subscribers take what waits for them; return whether all ended in time."""
        subscriptions = self._subscriptions
        for subscription in subscriptions:
            subscription.end()
        ended = [subscription.join(timeout_s) for subscription in subscriptions]
        return all(ended)

    def wake(self) -> None:
        """Let no offer wait any longer: the run ends."""
        for runner in self._runners:
            runner.stop_waiting()
        for subscription in self._subscriptions:
            subscription.stop_waiting()

    def is_consumer(self) -> bool:
        """Return whether the caller is a subscriber's thread."""
        return any(subscription.is_own_thread() for subscription in self._subscriptions)

    def _remove(self, subscription: Subscription) -> None:
        self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)
