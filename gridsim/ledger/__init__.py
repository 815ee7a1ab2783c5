"""The ledger: one SQLite file that holds what was simulated, what left, and what became of it.

`docs/ledger.md` describes its tables.
"""

from gridsim.ledger.about import About, TransportNote, about_run
from gridsim.ledger.fates import Fates
from gridsim.ledger.file import LedgerError
from gridsim.ledger.reader import NotALedger, Reader
from gridsim.ledger.writer import Ledger

__all__ = [
    "About",
    "Fates",
    "Ledger",
    "LedgerError",
    "NotALedger",
    "Reader",
    "TransportNote",
    "about_run",
]
