"""The merging of the ledgers of all shards of a run into one."""

from gridsim.ledger.merging.merge import MergedLedger, merge_ledgers

__all__ = ["MergedLedger", "merge_ledgers"]
