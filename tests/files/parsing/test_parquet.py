"""Parquet: its own types, its own counts, and nothing but this one file."""

import json
from pathlib import Path

import duckdb
import pytest

from shared.files.parsing.parquet import _connection
from tests.files.parsing.conftest import Reader, types

COLUMNS = """
  SELECT
  i::INTEGER AS i, i + 9007199254740990 AS big, i / 2::DOUBLE AS f, 1.25::DECIMAL(9, 2) AS money, 'w' || i AS s,
  i % 2 = 0 AS even, DATE '2024-02-28' + i::INTEGER AS day, TIMESTAMP '2024-02-29 13:45:30' AS at,
  CASE WHEN i > 1 THEN i END AS gap, {'a': [i, NULL]} AS nested, [i] AS list, '\\x01\\xFF'::BLOB AS bytes,
  'NaN'::DOUBLE AS nan
  FROM range(1000) t(i)
"""


def parquet(folder: Path, query: str, options: str = "") -> bytes:
    """A file written by DuckDB."""
    path = folder / "written.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet {options})")
    return path.read_bytes()


@pytest.mark.parametrize("codec", ["snappy", "zstd", "gzip", "uncompressed"])
def test_types_counts_and_first_rows_are_told(reader: Reader, codec: str) -> None:
    content = parquet(reader.folder, COLUMNS, f", CODEC '{codec}'")
    result = reader.result(content, "x.csv")
    assert types(result) == {
        **{"i": "integer", "big": "integer", "f": "float", "money": "float", "s": "string", "even": "boolean"},
        **{
            "day": "date",
            "at": "datetime",
            "gap": "integer?",
            "nested": "object?",
            "list": "array?",
            "bytes": "string",
        },
        "nan": "float",
    }
    assert (result["kind"], result["row_count"], len(result["preview"])) == ("table", 1000, 100)
    assert list(result["preview"][3].values()) == [
        *(3, "9007199254740993", 1.5, 1.25, "w3", False, "2024-03-02", "2024-02-29T13:45:30", 3),
        *({"a": [3, None]}, [3], "01ff", None),
    ]


def test_a_column_of_many_gigabytes_costs_what_is_shown(reader: Reader) -> None:
    content = parquet(reader.folder, "SELECT repeat('x', 100000) AS s FROM range(50000)")
    outcome = reader.sandboxed(content)
    assert (outcome.status, json.loads(outcome.result)["row_count"]) == ("ready", 50_000)
    assert outcome.peak_bytes < 400 << 20


def test_the_engine_may_read_no_other_file(reader: Reader) -> None:
    path = reader.written(parquet(reader.folder, "SELECT 1 AS a"))
    (reader.folder / "other.csv").write_text("a\n1\n")
    with _connection(path) as connection:
        for query in (
            f"FROM read_csv('{reader.folder}/other.csv')",
            f"COPY (SELECT 1) TO '{reader.folder}/new.csv'",
            "SET enable_external_access = true",
            "INSTALL httpfs",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(query)


def test_too_many_columns_are_cut(reader: Reader) -> None:
    content = parquet(reader.folder, f"SELECT {', '.join(f'{n} AS c{n}' for n in range(2_100))}")
    outcome = reader.read(content)
    assert (outcome.status, len(json.loads(outcome.result)["schema"])) == ("limited", 2_000)


@pytest.mark.parametrize(
    ("end", "status", "reason"),
    [
        (bytes(30), "failed", "no footer"),
        (b"\xff\xff\xff\x7fPAR1", "failed", "longer than the file"),
        (bytes(30) + b"\x10\x00\x00\x00PAR1", "failed", "not a valid Parquet file"),
        (bytes(17 << 20) + (17 << 20).to_bytes(4, "little") + b"PAR1", "limited", "footer is larger"),
    ],
)
def test_what_is_no_parquet_is_refused_with_a_reason(reader: Reader, end: bytes, status: str, reason: str) -> None:
    outcome = reader.read(b"PAR1" + end, "x.parquet")
    assert (outcome.status, reason in outcome.detail) == (status, True), outcome


@pytest.mark.parametrize(
    ("rows", "everywhere"), [(2**62 - 1, True), (2**62 - 1, False), (2**40, True), (2**40, False), (999, False)]
)
def test_absurd_counts_are_not_believed(reader: Reader, rows: int, everywhere: bool) -> None:
    content = parquet(reader.folder, "SELECT i, 'x' || i AS s FROM range(1000) t(i)")
    size = int.from_bytes(content[-8:-4], "little")
    data, footer = content[: -8 - size], content[-8 - size : -8]
    assert i64(1000) in footer
    footer = footer.replace(i64(1000), i64(rows), -1 if everywhere else 1)
    outcome = reader.sandboxed(data + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    assert outcome.status == "failed"
    assert outcome.detail.startswith("not a valid Parquet file: ")
    assert outcome.peak_bytes < 128 << 20


def i64(number: int) -> bytes:
    """A member of a footer, in Thrift's compact protocol: one past the member before it."""
    zigzag, encoded = 2 * number, b"\x16"
    while zigzag > 127:
        encoded, zigzag = encoded + bytes([zigzag & 127 | 128]), zigzag >> 7
    return encoded + bytes([zigzag])
