"""The spool: readings that wait for a transport on disk, and outlive the process."""

from gridsim.delivery.spool.buffer import SpoolBuffer
from gridsim.delivery.spool.file import SpoolAccount, read_account, unusable_spool
from gridsim.delivery.spool.store import SpoolStore

__all__ = ["SpoolAccount", "SpoolBuffer", "SpoolStore", "read_account", "unusable_spool"]
