"""The orders of devices and sites from commands and events, before dispatch shares them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats


@dataclass(frozen=True, slots=True, eq=False)
class DeviceOrders:
    """The orders of single devices from commands: float64[devices of the roster], kW."""

    setpoint_kw: Floats
    """The setpoint of the output; NaN where there is none."""
    min_kw: Floats
    """The lowest output allowed, -inf where there is no limit."""
    max_kw: Floats
    """The highest output allowed, inf where there is no limit."""
    disconnected: NDArray[np.bool_] | None = None
    """True for devices that a command has disconnected, with limits of 0; None: no device is."""

    def without(self, stopped: NDArray[np.bool_]) -> DeviceOrders:
        """Return the orders with limits of 0 for devices that have stopped, bool[n]."""
        low, high = np.where(stopped, 0.0, self.min_kw), np.where(stopped, 0.0, self.max_kw)
        return replace(self, min_kw=low, max_kw=high)

    @classmethod
    def none(cls, n: int) -> DeviceOrders:
        """Return empty orders for n devices."""
        return cls(np.full(n, np.nan), np.full(n, -np.inf), np.full(n, np.inf))


@dataclass(frozen=True, slots=True, eq=False)
class SiteOrders:
    """The orders of whole sites: float64[sites], kW."""

    output_kw: Floats
    """The target of the flexible devices' total output; NaN where there is none. It takes
    precedence over `net_kw`."""
    net_kw: Floats
    """The target of the site's net consumption as it is reported, in whole hundredths; NaN where
    there is none."""
    export_kw: Floats
    """The export limit, at least 0; inf where there is none."""
    import_kw: Floats
    """The import limit, at least 0; inf where there is none."""

    @classmethod
    def none(cls, n: int) -> SiteOrders:
        """Return empty orders for n sites."""
        return cls(np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.inf), np.full(n, np.inf))

    def above(self, other: SiteOrders | None) -> SiteOrders:
        """Return both combined: own targets override those of `other`; the tighter limits hold."""
        if other is None:
            return self
        has_target = ~(np.isnan(self.output_kw) & np.isnan(self.net_kw))
        return SiteOrders(
            np.where(has_target, self.output_kw, other.output_kw),
            np.where(has_target, self.net_kw, other.net_kw),
            np.minimum(self.export_kw, other.export_kw),
            np.minimum(self.import_kw, other.import_kw),
        )
