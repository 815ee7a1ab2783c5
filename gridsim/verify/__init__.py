"""`gridsim verify`: the comparison of a back-end's readings with those recorded in the ledger.

It is independent: it reads the ledger and the user's data, and shares no code with the parts that
made the messages.
"""

from gridsim.verify.main import VerifyOptions, verify
from gridsim.verify.report import VerifyReport

__all__ = ["VerifyOptions", "VerifyReport", "verify"]
