"""The messages of a fleet: number, size, and a stock of them for the reference clients."""

from __future__ import annotations

from dataclasses import dataclass

from gridsim.api import WireMessage
from gridsim.bench.target import BenchTarget
from gridsim.simulation.step import Simulation

WARM_UP_TICKS = 2
"""The number of first ticks that are sent but not measured, because they fill caches."""

_STOCK = 100_000


@dataclass(frozen=True, slots=True)
class Survey:
    """The messages of a number of ticks, without those of the warm-up."""

    messages: int
    records: int
    warm_up_records: int
    payload_bytes: float
    """The mean size of the payloads."""
    packet_bytes: float
    """The mean size of the packets, headers included."""
    stock: list[WireMessage]
    """The first messages, 100,000 at most."""

    def typical(self) -> WireMessage:
        """Return a message of the stock whose size is nearest to the mean."""
        mean = self.packet_bytes
        return min(self.stock, key=lambda message: abs(message.packet_bytes - mean))


def survey(target: BenchTarget, ticks: int) -> Survey:
    """Run the models and the format without sending, and return the messages."""
    simulation = Simulation(target.plan.configuration.scenario)
    format, benchmark = target.outlet.format, target.benchmark
    warm_up = sum(len(simulation.step()) for _ in range(WARM_UP_TICKS))
    messages = records = payload = packets = 0
    stock: list[WireMessage] = []
    for _ in range(ticks):
        batch = simulation.step()
        records += len(batch)
        for part, payloads in format.encode_parts(batch):
            for message in benchmark.messages(part, payloads):
                messages += 1
                payload += len(message.body)
                packets += message.packet_bytes
                if len(stock) < _STOCK:
                    stock.append(message)
    at_least_one = max(messages, 1)
    return Survey(messages, records, warm_up, payload / at_least_one, packets / at_least_one, stock)
