"""The QoS 0 path beside a raw socket. Exits 1 under 70 %.

Both send the same number of messages of the same size to this script's own Mosquitto, alternately,
so that a slow machine slows both.
"""

from __future__ import annotations

import argparse
import sys

from mosquitto import mosquitto, version

from gridsim.bench.rounds import GRIDSIM, compare, ways
from gridsim.bench.survey import survey
from gridsim.bench.target import default_or_named
from gridsim.text.progress import Progress

RAW = "raw"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=30, help="ticks of 10,000 DERs in a round")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--least", type=float, default=0.7, help="the ratio that is enough")
    options = parser.parse_args()
    with mosquitto() as port:
        there = ("transports.0.host=127.0.0.1", f"transports.0.port={port}", "transports.0.tls=off")
        _, target = default_or_named(None, there, ())
        fleet = survey(target, options.ticks)
        every = ways(target, fleet, options.ticks)
        two = {name: every[name] for name in (GRIDSIM, RAW)}
        flat = compare(two, fleet, options.runs, print, Progress())
    for name, speed in flat.ways.items():
        rounds = ", ".join(f"{flat.messages / taken.seconds:,.0f}" for taken in speed.rounds)
        print(f"{name:<8} {speed.messages_per_s:>9,.0f} messages/s ({rounds})")
    ratio = flat.ratios[RAW]
    enough = "enough" if ratio >= options.least else f"under {options.least:.0%}"
    print(f"Mosquitto {version()}, QoS 0: gridsim at {ratio:.0%} of the raw socket: {enough}")
    sys.exit(ratio < options.least)


if __name__ == "__main__":
    main()
