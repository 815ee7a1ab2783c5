"""The ledger: a SQLite file with the simulated truth, the messages, and their delivery.

`docs/ledger.md` describes its tables.
"""

from gridsim.ledger.about import About, TransportNote
from gridsim.ledger.fates import Fates
from gridsim.ledger.file import LedgerError
from gridsim.ledger.merging import MergedLedger, merge_ledgers
from gridsim.ledger.places import check_reload
from gridsim.ledger.query import LedgerQuery, query
from gridsim.ledger.reader import NotALedger, Reader
from gridsim.ledger.resuming import (
    KILLED,
    Continuation,
    Rewound,
    is_unused,
    missing_readings,
    run_of,
)
from gridsim.ledger.windows import Unsent, Window
from gridsim.ledger.writer import Ledger

__all__ = [
    "KILLED",
    "About",
    "Continuation",
    "Fates",
    "Ledger",
    "LedgerError",
    "LedgerQuery",
    "MergedLedger",
    "NotALedger",
    "Reader",
    "Rewound",
    "TransportNote",
    "Unsent",
    "Window",
    "check_reload",
    "is_unused",
    "merge_ledgers",
    "missing_readings",
    "query",
    "run_of",
]
