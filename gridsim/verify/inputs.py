"""The reader of files from a user's back-end."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from gridsim.errors import UsageError
from gridsim.verify.arrivals import Arrivals
from gridsim.verify.captures import Form, form_of
from gridsim.verify.jsonlines import JsonParser
from gridsim.verify.opening import SAMPLE_BYTES, STDIN, open_bytes
from gridsim.verify.packing import packed_cells, packed_lines
from gridsim.verify.reading import Reading
from gridsim.verify.rows import NoColumnError, csv_rows, open_table, parquet_rows

_NAMES: Final[dict[Form, str]] = {
    "csv": "CSV",
    "lines": "JSON Lines",
    "stream": "JSON",
    "capture": "a topic before the JSON of each line",
    "wrapped": "JSON with a topic and a payload in each line",
}


def read_file(name: str, reading: Reading) -> Iterator[Arrivals]:
    """Yield the arrivals of a file; its format is detected from its content.

    Afterwards `reading.evidence.sources` has a line about the file. Raises UsageError if the file
    cannot be read, or if it lacks a column that verify needs.
    """
    count = 0
    evidence = reading.evidence
    try:
        with ExitStack() as stack:
            file, first = open_bytes(name, stack)
            parser = JsonParser(reading)
            if first.startswith(b"PAR1"):
                # A Parquet file is read from its end.
                plain = name != STDIN and not name.endswith(".gz")
                data = name if plain else io.BytesIO(file.read())
                parts, what = parquet_rows(name, data, reading), "Parquet"
            elif name.removesuffix(".gz").endswith((".parquet", ".pq")):
                raise UsageError(f"{name}: error: is not a Parquet file")
            else:
                form = form_of(first, whole=len(first) < SAMPLE_BYTES)
                what = _NAMES[form] if first.strip() else "the file is empty"
                if form == "csv" and (packed := packed_lines(name, first)):
                    raise UsageError(f"{name}: error: {packed}")
                if form == "csv":
                    table = open_table(name, file, reading)
                    what = f"{what}, {table.dialect.describe()}"
                    parts = csv_rows(name, table, reading)
                elif form == "stream":
                    parts = parser.stream(file)
                else:
                    parts = {
                        "lines": parser.lines,
                        "capture": parser.capture,
                        "wrapped": parser.wrapped,
                    }[form](file)
            for part in parts:
                count += len(part)
                reading.on_rows(len(part))
                yield part
    except NoColumnError:
        if packed := packed_cells(name, first):
            raise UsageError(f"{name}: error: {packed}") from None
        raise
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{name}: error: cannot be read: {reason}") from error
    others = f"; {parser.others:,} other messages left out" if parser.others else ""
    source = "standard input" if name == STDIN else name
    evidence.sources.append(f"read {count:,} rows of {source}: {what}{others}")
