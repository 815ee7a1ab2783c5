"""The reader for all tables of text: CSV in the forms that programs and people write.

`read_table` reads a whole file; `TableStream` reads one of any size in chunks of rows. Both find
the encoding, the delimiter, the decimal mark and the header. `parse_numbers` and `parse_times`
convert whole columns. Each error is a ValueError that names the file and, where there is one, the
line and the column; it never shows more than the start of a field.
"""

from __future__ import annotations

from gridsim.helpers.tables.clock import RowError, time_of_day, times_of_day, utc_of_local
from gridsim.helpers.tables.dialect import Dialect, column_of, detect
from gridsim.helpers.tables.gaps import NUMERIC_MARKS, filled, gaps_of, with_gaps
from gridsim.helpers.tables.numbers import (
    Decimal,
    is_missing,
    parse_number,
    parse_numbers,
    why_not,
)
from gridsim.helpers.tables.shapes import NO_TIME, Order
from gridsim.helpers.tables.stamps import Stamps, read_stamps
from gridsim.helpers.tables.stream import Chunk, TableStream
from gridsim.helpers.tables.table import Table, describe, read_table
from gridsim.helpers.tables.text import encoding_of, lines_of, read_text
from gridsim.helpers.tables.times import Times, order_of, parse_time, parse_times
from gridsim.helpers.tables.units import OWN, Conversion, Quantity, conversion_of, unit_of

__all__ = [
    "NO_TIME",
    "NUMERIC_MARKS",
    "OWN",
    "Chunk",
    "Conversion",
    "Decimal",
    "Dialect",
    "Order",
    "Quantity",
    "RowError",
    "Stamps",
    "Table",
    "TableStream",
    "Times",
    "column_of",
    "conversion_of",
    "describe",
    "detect",
    "encoding_of",
    "filled",
    "gaps_of",
    "is_missing",
    "lines_of",
    "order_of",
    "parse_number",
    "parse_numbers",
    "parse_time",
    "parse_times",
    "read_stamps",
    "read_table",
    "read_text",
    "time_of_day",
    "times_of_day",
    "unit_of",
    "utc_of_local",
    "why_not",
    "with_gaps",
]
