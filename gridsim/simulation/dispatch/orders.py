"""What commands and events ask of devices and of sites, before dispatch shares it out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridsim.api import Floats


@dataclass(frozen=True, slots=True, eq=False)
class DeviceOrders:
    """What commands ask of single devices: float64[devices of the roster], kW."""

    setpoint_kw: Floats
    """NaN where nothing is asked."""
    min_kw: Floats
    """The least output allowed, -inf where there is no limit."""
    max_kw: Floats
    """The most output allowed, inf where there is no limit."""

    @classmethod
    def none(cls, n: int) -> DeviceOrders:
        """Nothing asked of any of n devices."""
        return cls(np.full(n, np.nan), np.full(n, -np.inf), np.full(n, np.inf))


@dataclass(frozen=True, slots=True, eq=False)
class SiteOrders:
    """What is asked of whole sites: float64[sites], kW."""

    output_kw: Floats
    """What the site's flexible devices shall give together; NaN where nothing is asked. It
    stands above `net_kw`."""
    net_kw: Floats
    """What the site's net consumption shall be; NaN where nothing is asked."""
    export_kw: Floats
    """The most that the site may feed into the grid, at least 0; inf where there is no limit."""
    import_kw: Floats
    """The most that the site may draw from the grid, at least 0; inf where there is no limit."""

    @classmethod
    def none(cls, n: int) -> SiteOrders:
        """Nothing asked of any of n sites."""
        return cls(np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.inf), np.full(n, np.inf))

    def above(self, other: SiteOrders | None) -> SiteOrders:
        """Both together: a target of this one wins over one of `other`, the tighter limit holds."""
        if other is None:
            return self
        asks = ~(np.isnan(self.output_kw) & np.isnan(self.net_kw))
        return SiteOrders(
            np.where(asks, self.output_kw, other.output_kw),
            np.where(asks, self.net_kw, other.net_kw),
            np.minimum(self.export_kw, other.export_kw),
            np.minimum(self.import_kw, other.import_kw),
        )
