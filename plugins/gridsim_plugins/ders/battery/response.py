"""The response of a battery system to a change of its target: dead time, then first order.

PerMod (HTW Berlin): P' = (P*(t - t_dead) - P) / tau, solved exactly over a tick with a constant
target. It therefore holds for any relation of tick, dead time and tau.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Stateful, Staying

# The distance from the target, as a share of the rated power, at which the target is reached. An
# exponential never reaches it, so without this a battery would never be at rest.
_ARRIVED = 1e-4


class Response(Stateful):
    """The lag of n systems; its state is the present power and the targets in the dead time."""

    kept = ("_line", "_newest", "_power")

    def __init__(self, rated: Floats, dead_s: Floats, tau_s: Floats, tick_s: float) -> None:
        """Start at rest; all float64[n], in kW and seconds."""
        n = len(rated)
        self._near = _ARRIVED * rated
        # A target takes effect after `late` whole ticks and the fraction `wait` of a tick.
        late = np.floor(dead_s / tick_s + 1e-9).astype(np.intp)
        wait_s = np.clip(dead_s - late * tick_s, 0.0, tick_s)
        self._wait = wait_s / tick_s
        self._old_decay, self._old_mean = lag(wait_s, tau_s)
        self._new_decay, self._new_mean = lag(tick_s - wait_s, tau_s)
        self._line = np.zeros((int(late.max(initial=0)) + 2, n))
        self._newest = 0
        alike = n > 0 and bool((late == late[0]).all())
        # A row of the line is quicker to read than one place in each column.
        self._back: int | NDArray[np.intp] = int(late[0]) if alike else late
        self._column: slice | NDArray[np.intp] = slice(None) if alike else np.arange(n)
        self._power = np.zeros(n)

    def carry_over(self, older: Response, staying: Staying) -> None:
        """Copy the state of the systems that stay; the longest dead time may differ."""
        self._power[staying.new] = older._power[staying.old]
        depth, before = len(self._line), len(older._line)
        for back in range(min(depth, before)):
            row = older._line[(older._newest - back) % before]
            self._line[(self._newest - back) % depth, staying.new] = row[staying.old]

    def follow(self, target: Floats, at_once: NDArray[np.bool_] | None = None) -> Floats:
        """Take the target from this tick on and return the mean power of the tick, float64[n].

        Where `at_once` is true, the target is reached without a lag.
        """
        depth = len(self._line)
        self._newest = (self._newest + 1) % depth
        self._line[self._newest] = target
        new = self._line[(self._newest - self._back) % depth, self._column]
        old = self._line[(self._newest - self._back - 1) % depth, self._column]
        off = self._power - old
        first, then = old + off * self._old_mean, old + off * self._old_decay
        off = then - new
        second, power = new + off * self._new_mean, new + off * self._new_decay
        self._power = np.where(np.abs(power - new) < self._near, new, power)
        mean: Floats = self._wait * first + (1.0 - self._wait) * second
        if at_once is None or not at_once.any():
            return mean
        self._line[:, at_once] = target[at_once]
        self._power = np.where(at_once, target, self._power)
        return np.where(at_once, target, mean)

    def limit(self, low: Floats, high: Floats) -> None:
        """Clip the power to the limits of the tick that is over."""
        self._power = np.minimum(np.maximum(self._power, low), high)


def lag(span_s: Floats, tau_s: Floats) -> tuple[Floats, Floats]:
    """Return the shares of a deviation that remain after `span_s`, and on average until then.

    exp(-s / tau) and tau / s (1 - exp(-s / tau)); zero for tau = 0, one for a span of zero.
    """
    tau = np.maximum(tau_s, 1e-12)
    x = np.minimum(span_s / tau, 700.0)
    decay = np.where(tau_s > 0.0, np.exp(-x), 0.0)
    mean = np.where(tau_s > 0.0, -np.expm1(-x) / np.maximum(x, 1e-12), 0.0)
    return decay, np.where((x == 0.0) & (tau_s > 0.0), 1.0, mean)
