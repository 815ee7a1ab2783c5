"""The text and the layout of tables: encodings, delimiters, headers after a preamble."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from gridsim.helpers.tables import TableStream, read_stamps, read_table

ROWS = "time;kw\n2026-07-14T00:00;1,5\n2026-07-14T01:00;0,25\n"


def written(folder: Path, data: str | bytes) -> str:
    path = folder / "t.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (ROWS.encode(), "utf-8"),
        (ROWS.encode("utf-8-sig"), "utf-8-sig"),
        (ROWS.encode("utf-16"), "utf-16"),
        (ROWS.encode("utf-16-le"), "utf-16-le"),
        (ROWS.encode("utf-16-be"), "utf-16-be"),
        (ROWS.encode("utf-32"), "utf-32"),
        (("# Messgerät München, 5 €\n" + ROWS).encode("cp1252"), "cp1252"),
        (("# \x81ber\n" + ROWS).encode("latin-1"), "latin-1"),
        (ROWS.replace("\n", "\r\n").encode(), "utf-8"),
        (ROWS.replace("\n", "\r").encode(), "utf-8"),
    ],
)
def test_encodings_and_line_ends(tmp_path: Path, data: bytes, encoding: str) -> None:
    table = read_table(written(tmp_path, data), ["time", "kw"])
    assert table.encoding == encoding
    assert table.numbers("kw").tolist() == [1.5, 0.25]
    stream = TableStream("t.csv", io.BytesIO(data), ["time", "kw"])
    assert stream.encoding == encoding
    (chunk,) = stream.chunks()
    assert list(chunk.columns[1]) == ["1,5", "0,25"]
    assert list(np.diff(chunk.lines)) == [1]


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("time,kw\n2026-07-14,1.5\n", "commas"),
        ("time;kw\n2026-07-14;1.5\n", "semicolons"),
        ("time;kw\n2026-07-14;1,5\n", "semicolons, decimal comma"),
        ("time\tkw\n2026-07-14\t1,5\n", "tabs, decimal comma"),
        ("time|kw\n2026-07-14|1.5\n", "pipes"),
        ('time,kw\n2026-07-14,"1,5"\n', "commas, decimal comma"),
        ("sep=;\ntime;kw\n2026-07-14;1,5\n", "semicolons, decimal comma"),
        ('"sep=\\t"\ntime\tkw\n2026-07-14\t1.5\n', "tabs"),
        (' "time" ; "kw" \n "2026-07-14" ; "1.5" \n', "semicolons"),
        ("# by hand\n\nTIME,KW\n# noon\n2026-07-14,1.5\n", "commas"),
        ("# time,kw\n2026-07-14,1.5\n", "commas"),
        ("a,b,c\n1,2,3\n\ntime,kw\n2026-07-14,1.5\n", "commas"),
        ("Meter 7;kWh;;\nfrom; to\ntime;kw\n2026-07-14;1.5\n", "semicolons"),
        ("time,kw,\n2026-07-14,1.5,\n", "commas"),
        ("time,kw\n2026-07-14,1.5,,\n", "commas"),
        ("time,kw\n2026-07-14,1.5\n\nTotal: 1.5 kW\n(c) the utility\n", "commas"),
        ("time,kw\n\n2026-07-14,1.5\n\n", "commas"),
        ("    time    | kw\n------------+-----\n 2026-07-14 | 1.5\n(1 row)\n", "pipes"),
        ("+---+---+\n| time | kw |\n+---+---+\n| 2026-07-14 | 1.5 |\n+---+---+\n", "pipes"),
        ("|time|kw|\n|:---|---:|\n|2026-07-14|1.5|\n", "pipes"),
    ],
)
def test_the_layout_is_found(tmp_path: Path, text: str, dialect: str) -> None:
    table = read_table(written(tmp_path, text), ["time", "kw"])
    assert table.dialect.describe() == dialect
    assert table.numbers("kw").tolist() == [1.5]
    assert read_stamps(table, ["time"]).ms.tolist() == [1_783_987_200_000]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "t.csv: the file is empty"),
        (b" \n\n", "t.csv: the file is empty"),
        (b"time,kw\n", "t.csv: a header and at least one row are needed"),
        (b"nothing", "t.csv: a header and at least one row are needed"),
        (b"PK\x03\x04rest", "is an Excel workbook"),
        (b"\x1f\x8brest", "its gzip compression is damaged"),
        (b"time,kw\n1,\x002\n", "is not text: byte 11, in line 2, is 0x00"),
        (b"time,kw\n1,2\n1,2,3\n", "t.csv, line 3: 3 fields, but the header has 2"),
        (b"time,kw\n1,2\n1\n", "t.csv, line 3: 1 fields, but the header has 2"),
        (b"kW,kw , kw\n1,2,3\n", "t.csv, line 1: there is more than one column 'kw'"),
        (b"time,power\n1,2\n", "there is no column 'kw'; there are: time, power"),
        (b'time\tkw\n1\t"1,234"\n', "'1,234' may have a decimal comma or a thousands separator"),
        (b"time;kw\n1;1.234\n1;56.700\n", "'1.234' may have a decimal point or a thousands"),
        (b"time\tkw\n1\t1,234\n1\t5.5\n", "line 2: kw is '1,234', with a decimal comma or a sep"),
        (b"time;kw\n1;1,5\n1;2,5\n1;1.234\n", "line 4: kw is '1.234', with a decimal point or a"),
        (b"time\tkw\n1\t1,234,5\n", "line 2: kw is '1,234,5', which is not a number"),
        (b"time;kw\n1;1,5\n1;2.5\n", "line 2: kw is '1,5', with a decimal comma|set decimal"),
        (b"time,kw\n1,999 kW\n", "line 2: kw is '999 kW', which is not a number"),
        (b"time,kw\n1,inf\n", "line 2: kw is 'inf', which is not a number"),
        (b"time,kw\n1,1e999\n", "line 2: kw is '1e999', which is too large"),
        (b"time,kw\n1,\n", "line 2: kw is '', a missing value"),
        (b"time,kw\n1,#REF!\n", "line 2: kw is '#REF!', which is not a number"),
        (b"\xef\xbb\xbftime,kw\n1,\xfc\n", "line 2: is not UTF-8 text at byte 14; set encoding"),
        (b"time,kw\n1," + b"x" * 200_000 + b"\n", "line 2: field larger than field limit"),
    ],
)
def test_an_error_is_short_and_names_its_place(tmp_path: Path, data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=r"t\.csv") as caught:
        read_table(written(tmp_path, data), ["time", "kw"]).numbers("kw")
    for part in problem.split("|"):
        assert part in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("1.234,5", ","),
        ("1.234.567", ","),
        ("1 234,5", ","),
        ("1\u202f234.5", "."),
        ("1'234", "."),
        ("1,234.5", "."),
        ("-1,234,567.25", "."),
    ],
)
def test_thousands_may_be_separated(tmp_path: Path, text: str, decimal: str) -> None:
    rows = f"time;kw\n1;{text}\n"
    table = read_table(written(tmp_path, rows), ["time", "kw"])
    assert table.dialect.decimal == decimal
    plain = "".join(c for c in text if c in f"-0123456789{decimal}").replace(",", ".")
    assert table.numbers("kw").tolist() == [float(plain)]


def test_a_single_mark_separates_thousands_if_the_column_or_a_setting_says_so(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "time\tkw\n1\t1,234\n1\t5.5\n")
    assert read_table(path, ["kw"], decimal=".").numbers("kw").tolist() == [1234.0, 5.5]
    path = written(tmp_path, "time\tkw\n1\t1,234\n1\t1,005.5\n")
    assert read_table(path, ["kw"]).numbers("kw").tolist() == [1234.0, 1005.5]


def test_a_file_may_be_compressed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbftime,kw\r\n1,2.5\r\n"))
    assert read_table(path, ["time", "kw"]).numbers("kw").tolist() == [2.5]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"t\.csv\.gz: its gzip compression is damaged"):
        read_table(path)


def test_a_folder_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Is a directory"):
        read_table(tmp_path)
    with pytest.raises(ValueError, match=r"none\.csv: No such file"):
        read_table(tmp_path / "none.csv")


def test_a_given_layout_is_not_questioned(tmp_path: Path) -> None:
    path = written(tmp_path, 'time\tkw\n2026-07-14\t"1,234"\n')
    assert read_table(path, ["kw"], decimal=",").numbers("kw").tolist() == [1.234]
    path = written(tmp_path, "time:kw\nnow:1.5\n")
    assert read_table(path, ["kw"], delimiter=":").numbers("kw").tolist() == [1.5]
    path = written(tmp_path, "zählung,kw\n7,1.5\n".encode("cp437"))
    assert read_table(path, ["kw"], encoding="cp437").header[0] == "zählung"
    with pytest.raises(ValueError, match="there is no encoding 'none'"):
        read_table(path, ["kw"], encoding="none")


def test_a_stream_gives_columns_with_their_lines() -> None:
    text = '# made\nid,note\na,1\n\n# b\n"c","two\nlines"\nd\n e , 5,,\nf,6,7\n'
    for size in (1, 4, 1000):
        stream = TableStream("s", io.BytesIO(text.encode()), ["id"])
        chunks = list(stream.chunks(size))
        notes = [note for chunk in chunks for note in chunk.columns[1]]
        assert notes == ["1", "two\nlines", "", "5", "6"]
        assert [line for chunk in chunks for line in chunk.lines] == [3, 6, 8, 9, 10]
        ragged = [chunk.lines[row] for chunk in chunks for row in chunk.ragged]
        assert ragged == [8, 10]
    assert (stream.column("nothing", "NOTE"), stream.column("x")) == (1, None)


@pytest.mark.parametrize("dressing", ["", '"', " "])
def test_a_stream_reads_beyond_its_sample(dressing: str) -> None:
    rows = [f"{dressing}DER_{n}{dressing},{n / 4}" for n in range(60_000)]
    data = "\n".join(["der_id,kw", *rows]).encode()
    stream = TableStream("s", io.BytesIO(data), ["der_id", "kw"])
    lines: list[int] = []
    names: list[str] = []
    values: list[float] = []
    for chunk in stream.chunks(100_000):
        lines += chunk.lines
        names += chunk.columns[0]
        values += [float(text) for text in chunk.columns[1]]
    assert lines == list(range(2, 60_002))
    assert [name.strip() for name in names] == [f"DER_{n}" for n in range(60_000)]
    assert values == [n / 4 for n in range(60_000)]


def test_a_stream_names_the_line_that_cannot_be_read() -> None:
    text = "id,note\n" + "a,b\n" * 200_000
    stream = TableStream("s", io.BytesIO((text + 'a,"b\n' + text * 3).encode()), ["id"])
    with pytest.raises(ValueError, match=r"^s: after line \d+, a quote is not closed$"):
        list(stream.chunks(1000))
    stream = TableStream("s", io.BytesIO(text.encode() + b"a,\xff\n"), ["id"])
    with pytest.raises(ValueError, match=r"^s, after line \d+: is not utf-8 text"):
        list(stream.chunks())
    stream = TableStream("s", io.BytesIO(text.encode() + b"a,\xff\n"), ["id"], errors="replace")
    assert list(stream.chunks())[-1].columns[1][-1] == "\ufffd"
