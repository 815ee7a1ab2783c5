"""What a fleet sends: how many messages, how large, and a stock of them for the baselines."""

from __future__ import annotations

from dataclasses import dataclass

from gridsim.api import UNITS, Batch, Roster
from gridsim.bench.target import BenchTarget
from gridsim.simulation.step import Simulation

WARM_UP_TICKS = 2
"""The first ticks fill caches: they are sent, but not measured."""

_STOCK = 100_000
_DEFAULT_TOPIC = {"der": "projects/{project_id}/ders/{der_id}", "project": "projects/{project_id}"}


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Survey:
    """The messages of a number of ticks; those of the warm-up are not among them."""

    messages: int
    records: int
    warm_up_records: int
    payload_bytes: float
    """Mean."""
    packet_bytes: float
    """Mean size of the PUBLISH packets, header and topic included."""
    stock: list[Message]
    """The first of them, 100,000 at most."""

    def typical(self) -> Message:
        """One whose size is nearest to the mean."""
        mean = self.packet_bytes
        return min(self.stock, key=lambda message: abs(_roughly(message) - mean))


def survey(target: BenchTarget, ticks: int) -> Survey:
    """Runs the models and the format, and sends nothing."""
    simulation = Simulation(target.plan.configuration.scenario)
    format, settings = target.outlet.format, target.settings
    topics = make_topics(target)
    extra = (2 if settings.qos else 0) + (settings.protocol == "5")
    warm_up = sum(len(simulation.step()) for _ in range(WARM_UP_TICKS))
    messages = records = payload = packets = 0
    stock: list[Message] = []
    for _ in range(ticks):
        batch = simulation.step()
        records += len(batch)
        for part, payloads in format.encode_parts(batch):
            names = topics_of(part, payloads.starts[:-1].tolist(), topics, format.framing)
            for topic, body in zip(names, payloads.bodies, strict=True):
                messages += 1
                payload += len(body)
                packets += packet_size(len(topic.encode()), len(body), extra)
                if len(stock) < _STOCK:
                    stock.append(Message(topic, body))
    at_least_one = max(messages, 1)
    return Survey(messages, records, warm_up, payload / at_least_one, packets / at_least_one, stock)


def make_topics(target: BenchTarget) -> list[str]:
    """The topic of every device, or with framing `project` of every project."""
    framing = target.outlet.format.framing
    roster: Roster = target.plan.configuration.scenario.roster
    template = target.settings.topic or _DEFAULT_TOPIC[framing]
    if framing == "project":
        return [template.format(project_id=project) for project in roster.project_id]
    return [
        template.format(project_id=roster.project_id[p], der_id=der, type=kind, units=UNITS)
        for p, der, kind in zip(roster.project.tolist(), roster.der_id, roster.type, strict=True)
    ]


def topics_of(part: Batch, starts: list[int], topics: list[str], framing: str) -> list[str]:
    """The topics of the messages whose first rows are `starts`."""
    owner = part.device[starts]
    if framing == "project":
        owner = part.roster.project[owner]
    return [topics[index] for index in owner.tolist()]


def packet_size(topic_bytes: int, body_bytes: int, extra: int) -> int:
    """Bytes of a PUBLISH; `extra` is what its packet id and properties take."""
    remaining = 2 + topic_bytes + extra + body_bytes
    return 1 + 1 + (remaining > 127) + (remaining > 16_383) + (remaining > 2_097_151) + remaining


def _roughly(message: Message) -> int:
    return packet_size(len(message.topic.encode()), len(message.body), 0)
