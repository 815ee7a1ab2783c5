"""How fast a battery system follows what is asked of it: dead time, then first order.

PerMod (HTW Berlin): P' = (P*(t - t_dead) - P) / tau, solved exactly over a tick in which the
wish is constant, so that it holds for ticks of any length against dead time and tau.
"""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats

# Closer than this to its target, as a share of the rated power, the power has arrived: an
# exponential never does, and a battery would never come to rest.
_ARRIVED = 1e-4


class Response:
    """The lag of n systems; its state is the power now and the wishes under way."""

    def __init__(self, rated: Floats, dead_s: Floats, tau_s: Floats, tick_s: float) -> None:
        """All float64[n]: kW and seconds. Everything is at rest."""
        n = len(rated)
        self._near = _ARRIVED * rated
        # A wish shows `late` whole ticks and `wait` of a tick later.
        self._late = np.floor(dead_s / tick_s + 1e-9).astype(np.intp)
        wait_s = np.clip(dead_s - self._late * tick_s, 0.0, tick_s)
        self._wait = wait_s / tick_s
        self._old_decay, self._old_mean = lag(wait_s, tau_s)
        self._new_decay, self._new_mean = lag(tick_s - wait_s, tau_s)
        self._line = np.zeros((int(self._late.max(initial=0)) + 2, n))
        self._newest = 0
        self._row = np.arange(n)
        self._power = np.zeros(n)

    def follow(self, wanted: Floats) -> Floats:
        """Takes in what is wanted from this tick on; the mean power over the tick, float64[n]."""
        depth = len(self._line)
        self._newest = (self._newest + 1) % depth
        self._line[self._newest] = wanted
        new = self._line[(self._newest - self._late) % depth, self._row]
        old = self._line[(self._newest - self._late - 1) % depth, self._row]
        off = self._power - old
        first, then = old + off * self._old_mean, old + off * self._old_decay
        off = then - new
        second, power = new + off * self._new_mean, new + off * self._new_decay
        self._power = np.where(np.abs(power - new) < self._near, new, power)
        mean: Floats = self._wait * first + (1.0 - self._wait) * second
        return mean

    def limit(self, low: Floats, high: Floats) -> None:
        """Keeps the power within what was possible in the tick that is over."""
        self._power = np.minimum(np.maximum(self._power, low), high)


def lag(span_s: Floats, tau_s: Floats) -> tuple[Floats, Floats]:
    """What is left of a deviation after `span_s`, and its mean meanwhile, as shares of it.

    exp(-s / tau) and tau / s (1 - exp(-s / tau)); zero for tau = 0, one for a span of zero.
    """
    tau = np.maximum(tau_s, 1e-12)
    x = np.minimum(span_s / tau, 700.0)
    decay = np.where(tau_s > 0.0, np.exp(-x), 0.0)
    mean = np.where(tau_s > 0.0, -np.expm1(-x) / np.maximum(x, 1e-12), 0.0)
    return decay, np.where((x == 0.0) & (tau_s > 0.0), 1.0, mean)
