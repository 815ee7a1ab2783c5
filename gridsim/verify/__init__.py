"""`gridsim verify`: the comparison of a back-end's readings with those recorded in the ledger.

It is independent: it reads the ledger and the user's data, and shares no code with the parts that
create the messages.
"""

from gridsim.verify.main import verify
from gridsim.verify.options import VerifyOptions
from gridsim.verify.report import VerifyReport

__all__ = ["VerifyOptions", "VerifyReport", "verify"]
