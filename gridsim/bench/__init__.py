"""`gridsim bench`: what this machine and that broker take, beside a raw socket and plain paho.

Ratios from one run mean more than figures: both sides met the same machine in the same minute.
"""

from gridsim.bench.main import BenchOptions, bench

__all__ = ["BenchOptions", "bench"]
