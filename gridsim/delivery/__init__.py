"""Delivery: one runner per transport, with its buffer, retries, counters and thread.

A slow or dead transport delays neither a real-time tick nor another transport. In readings,
at all times: accepted = delivered + dropped + unconfirmed + pending.
"""

from gridsim.delivery.account import Counters, DeliveryPolicy, Fate, Observer
from gridsim.delivery.alteration import Alteration, Alterations, AlteringFormat
from gridsim.delivery.runner import Runner
from gridsim.delivery.successor import Successor
from gridsim.delivery.timing import TimedFormat, Timing
from gridsim.delivery.trace import MessageTrace
from gridsim.delivery.turn import Turn

__all__ = [
    "Alteration",
    "Alterations",
    "AlteringFormat",
    "Counters",
    "DeliveryPolicy",
    "Fate",
    "MessageTrace",
    "Observer",
    "Runner",
    "Successor",
    "TimedFormat",
    "Timing",
    "Turn",
]
