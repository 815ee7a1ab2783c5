"""Distributions, for settings that differ between devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, exp, floor, inf, isfinite, nextafter
from typing import Any, Literal

import numpy as np
from pydantic.fields import FieldInfo

from gridsim.api import Draws, Floats, Keys

DistributionKind = Literal["normal", "lognormal", "uniform", "choice"]
KINDS: Mapping[DistributionKind, str] = {
    "normal": "[mean, standard deviation]",
    "lognormal": "[mu, sigma] of the value's natural logarithm",
    "uniform": "[lowest, highest]",
    "choice": "an array of numbers",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a setting."""

    low: float = -inf
    high: float = inf
    open_low: bool = False
    """True if `low` itself is not allowed."""
    open_high: bool = False
    whole: bool = False

    @staticmethod
    def of(info: FieldInfo) -> Bounds:
        """Return the bounds that a numeric field declares."""
        marks = {
            name: value
            for meta in info.metadata
            for name in ("gt", "ge", "lt", "le")
            if (value := getattr(meta, name, None)) is not None
        }
        return Bounds(
            low=float(marks.get("gt", marks.get("ge", -inf))),
            high=float(marks.get("lt", marks.get("le", inf))),
            open_low="gt" in marks,
            open_high="lt" in marks,
            whole=info.annotation in (int, int | None),
        )

    def clip(self, values: Floats) -> Floats:
        """Return the nearest values within the bounds."""
        low, high = self.low, self.high
        if self.whole:
            values = np.round(values)
            low = floor(low) + 1 if self.open_low else low
            high = ceil(high) - 1 if self.open_high else high
        else:
            low = nextafter(low, inf) if self.open_low else low
            high = nextafter(high, -inf) if self.open_high else high
        clipped: Floats = np.clip(values, low, high)
        return clipped


@dataclass(frozen=True, slots=True)
class Distribution:
    kind: DistributionKind
    numbers: tuple[float, ...]
    weights: tuple[float, ...] = ()
    min: float = -inf
    max: float = inf

    @property
    def support(self) -> tuple[float, float]:
        """The lowest and highest possible value."""
        ends = {"normal": (-inf, inf), "lognormal": (0.0, inf)}
        low, high = ends.get(self.kind, (min(self.numbers), max(self.numbers)))
        return self._within(low), self._within(high)

    @property
    def central(self) -> float:
        """A typical value, used to validate the rest of a stanza."""
        match self.kind:
            case "normal":
                value = self.numbers[0]
            case "lognormal":
                value = exp(self.numbers[0])
            case "uniform":
                value = self.numbers[0] / 2 + self.numbers[1] / 2
            case "choice":
                value = self.numbers[int(np.argmax(self.weights))]
        return self._within(value)

    def sample(self, draws: Draws, purpose: str, keys: Keys) -> Floats:
        """Return one value for each key, float64[n]; not finite where it overflows."""
        with np.errstate(over="ignore", invalid="ignore"):
            clipped: Floats = np.clip(self._drawn(draws, purpose, keys), self.min, self.max)
        return clipped

    def fault(self, bounds: Bounds) -> str | None:
        """Return why this distribution violates the bounds of a setting, or None."""
        low, high = self.support
        if low == -inf < bounds.low:
            return f"has no lower end, but must {_least(bounds)}: give `min`"
        if high == inf > bounds.high:
            return f"has no upper end, but must {_most(bounds)}: give `max`"
        # Samples never equal the ends of a continuous distribution, unless it is truncated there or
        # has only one value.
        cut = self.kind == "choice" or low == high
        refuses_low = bounds.open_low and (cut or self.min == low)
        refuses_high = bounds.open_high and (cut or self.max == high)
        if low < bounds.low or (refuses_low and low == bounds.low):
            return f"goes down to {low:g}, but must {_least(bounds)}"
        if high > bounds.high or (refuses_high and high == bounds.high):
            return f"goes up to {high:g}, but must {_most(bounds)}"
        return None

    def _drawn(self, draws: Draws, purpose: str, keys: Keys) -> Floats:
        first, second = self.numbers[0], self.numbers[-1]
        values: Floats
        match self.kind:
            case "normal":
                values = first + second * draws.normal(purpose, keys)
            case "lognormal":
                values = np.exp(first + second * draws.normal(purpose, keys))
            case "uniform":
                values = first + (second - first) * draws.uniform(purpose, keys)
            case "choice":
                steps = np.cumsum(self.weights) / np.sum(self.weights)
                place = np.searchsorted(steps[:-1], draws.uniform(purpose, keys), side="right")
                values = np.array(self.numbers)[place]
        return values

    def _within(self, value: float) -> float:
        return min(max(value, self.min), self.max)


def parse(table: Mapping[str, Any], number: Callable[[Any], float | None]) -> Distribution:
    """Return a distribution from its table. `number` converts a value to a number, or None.

    Raises ValueError with the reason.
    """
    kinds = [kind for kind in KINDS if kind in table]
    if len(kinds) != 1:
        raise ValueError(f"must be a number, or a table with one of {', '.join(KINDS)}")
    kind = kinds[0]
    allowed = {kind, "min", "max"} | ({"weights"} if kind == "choice" else set())
    if unknown := sorted(table.keys() - allowed):
        raise ValueError(f"{kind} has no {unknown[0]!r}: only {', '.join(sorted(allowed))}")
    numbers = _numbers(table, kind, KINDS[kind], number)
    low, high = (_number(table, name, number) for name in ("min", "max"))
    if kind != "choice" and len(numbers) != 2:
        raise ValueError(f"{kind} must be {KINDS[kind]}")
    if kind in ("normal", "lognormal") and numbers[1] < 0:
        raise ValueError(f"{kind} must be {KINDS[kind]}, the latter not negative")
    if kind == "lognormal" and numbers[0] > 700:
        raise ValueError("lognormal has a mu that is too large: it is the mean of the logarithm")
    if kind == "uniform" and numbers[0] > numbers[1]:
        raise ValueError(f"uniform must be {KINDS[kind]}")
    if low is not None and high is not None and low > high:
        raise ValueError("min is above max")
    weights: tuple[float, ...] = ()
    if kind == "choice":
        weights = _weights(table, len(numbers), number)
    return Distribution(
        kind, numbers, weights, -inf if low is None else low, inf if high is None else high
    )


def _weights(
    table: Mapping[str, Any], n: int, number: Callable[[Any], float | None]
) -> tuple[float, ...]:
    if "weights" not in table:
        return (1.0,) * n
    weights = _numbers(table, "weights", f"an array of {n} numbers", number)
    if len(weights) != n or min(weights) < 0 or not 0 < sum(weights) < inf:
        raise ValueError(f"weights must be {n} numbers, none negative and not all zero")
    return weights


def _numbers(
    table: Mapping[str, Any], name: str, shape: str, number: Callable[[Any], float | None]
) -> tuple[float, ...]:
    given = table[name]
    values = [number(value) for value in given] if isinstance(given, list) else []
    numbers = tuple(value for value in values if value is not None and isfinite(value))
    if not numbers or len(numbers) != len(values):
        raise ValueError(f"{name} must be {shape}")
    return numbers


def _number(
    table: Mapping[str, Any], name: str, number: Callable[[Any], float | None]
) -> float | None:
    if name not in table:
        return None
    value = number(table[name])
    if value is None or not isfinite(value):
        raise ValueError(f"{name} must be a number")
    return value


def _least(bounds: Bounds) -> str:
    return f"be {'greater than' if bounds.open_low else 'at least'} {bounds.low:g}"


def _most(bounds: Bounds) -> str:
    return f"be {'less than' if bounds.open_high else 'at most'} {bounds.high:g}"
