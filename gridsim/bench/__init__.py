"""`gridsim bench`: the throughput of this machine and a broker, next to a raw socket and paho.

Ratios from one run mean more than absolute figures, because both sides ran on the same machine in
the same minute.
"""

from gridsim.bench.main import BenchOptions, bench

__all__ = ["BenchOptions", "bench"]
