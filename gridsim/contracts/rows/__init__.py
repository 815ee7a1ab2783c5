"""A fast encoder from the columns of a batch to one text per row."""

from gridsim.contracts.rows.encoder import RowEncoder
from gridsim.contracts.rows.layout import RowLayout

__all__ = ["RowEncoder", "RowLayout"]
