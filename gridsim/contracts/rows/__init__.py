"""From a batch's columns to one text per row, fast."""

from gridsim.contracts.rows.encoder import RowEncoder
from gridsim.contracts.rows.layout import RowLayout

__all__ = ["RowEncoder", "RowLayout"]
