"""The data needed to read a user's data: the ledger's names, the user's names, the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gridsim.helpers.tables import Decimal
from gridsim.verify.arrivals import Arrivals, Columns
from gridsim.verify.evidence import Evidence
from gridsim.verify.roster import LedgerRoster
from gridsim.verify.scales import factors_of
from gridsim.verify.times import TimeReader


def _ignore(rows: float) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The converter of a user's data to arrivals."""

    roster: LedgerRoster
    evidence: Evidence
    time: TimeReader
    several: bool
    """True if a message has all records of a project and time."""
    loose: bool
    """True if values in JSON may be written as text."""
    decimal: Decimal | None = None
    """The decimal mark of tables of text; None: it is recognised."""
    on_rows: Callable[[float], None] = _ignore
    """The function that is called with the number of rows of each part that was read."""

    def columns(
        self, *, text: bool, decimal: Decimal = ".", names: Mapping[str, str] | None = None
    ) -> Columns:
        """Return a converter; `names` are the columns' names, with units, if they are known."""
        factors = {} if names is None else factors_of(names, self.evidence)
        return Columns(
            self.roster, self.evidence, self.time, text=text, decimal=decimal, factors=factors
        )

    def nothing(self, received_ms: Sequence[int] | None = None) -> Arrivals:
        """Return no arrivals."""
        return self.columns(text=False).arrivals({}, [], None, received_ms)
