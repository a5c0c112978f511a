"""Parquet by DuckDB, 66 MB unzipped (pyarrow would be 163), which may open this one file and nothing else."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb

from shared.files.parsing import limits
from shared.files.parsing.limits import Malformed, OverLimit, Stopwatch
from shared.files.parsing.result import Found, shortened
from shared.files.parsing.sniffed import Sniffed

_MAGIC: Final = b"PAR1"
_MEMORY: Final = "384MB"
_EXACT: Final = 2**53
_INTEGERS: Final = frozenset(f"{sign}{size}" for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "BIGINT")) | {
    *("INTEGER", "UINTEGER", "HUGEINT", "UHUGEINT")
}


def read(sniffed: Sniffed, stopwatch: Stopwatch) -> Found:
    """Types and counts from the footer, values from the first rows only."""
    _check_footer(sniffed.path)
    try:
        with _connection(sniffed.path) as connection:
            return _read(connection, str(sniffed.path), stopwatch)
    except duckdb.OutOfMemoryException as error:
        raise MemoryError from error
    except duckdb.Error as error:
        raise Malformed(f"not a valid Parquet file: {str(error).partition(chr(10))[0][:200]}") from error


def _check_footer(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 8))
        end = file.read(8)
    if size < 12 or end[4:] != _MAGIC:
        raise Malformed("not a valid Parquet file: it has no footer")
    footer = int.from_bytes(end[:4], "little")
    if footer > size - 12:
        raise Malformed("not a valid Parquet file: its footer is longer than the file")
    if footer > limits.PART_BYTES:
        raise OverLimit(f"the file's footer is larger than {limits.PART_BYTES >> 20} MiB")


def _connection(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": _MEMORY})
    quoted = str(path).replace("'", "''")
    for setting in (
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "temp_directory = ''",
        f"allowed_paths = ['{quoted}']",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    return connection


def _read(connection: duckdb.DuckDBPyConnection, path: str, stopwatch: Stopwatch) -> Found:
    found = Found("table")
    found.row_count = _row_count(connection, path)
    selected = connection.execute("SELECT * FROM read_parquet(?) LIMIT 0", [path])
    names = [str(column[0]) for column in selected.description or ()]
    types = [str(column[1]) for column in selected.description or ()]
    if len(names) > limits.COLUMNS:
        found.limited = f"the table has {len(names)} columns; only {limits.COLUMNS} were read"
    stopwatch.check()
    names = names[: limits.COLUMNS]
    rows = _first_rows(connection, path, names)
    nullable = _nullable(connection, path)
    found.preview = [dict(zip(names, map(shortened, row), strict=True)) for row in rows]
    for place, (name, kind) in enumerate(zip(names, types, strict=False)):
        values = [row[place] for row in rows]
        found.schema.append(_column(name, kind, nullable.get(name, True), values))
    return found


def _row_count(connection: duckdb.DuckDBPyConnection, path: str) -> int:
    (claimed,) = _one(connection, "SELECT num_rows FROM parquet_file_metadata(?)", path)
    groups = "SELECT DISTINCT row_group_id, row_group_num_rows AS rows FROM parquet_metadata(?)"
    (held,) = _one(connection, f"SELECT coalesce(sum(rows), 0) FROM ({groups})", path)  # noqa: S608
    if held != claimed:
        raise Malformed(f"not a valid Parquet file: it claims {claimed} rows and its parts {held}")
    return int(claimed)


def _one(connection: duckdb.DuckDBPyConnection, query: str, path: str) -> tuple[Any, ...]:
    row = connection.execute(query, [path]).fetchone()
    if row is None:
        raise Malformed("not a valid Parquet file: its footer is empty")
    return row


def _first_rows(connection: duckdb.DuckDBPyConnection, path: str, names: Sequence[str]) -> list[list[Any]]:
    selected = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    rows = connection.execute(f"SELECT {selected} FROM read_parquet(?) LIMIT {limits.PREVIEW_ROWS}", [path])  # noqa: S608
    return [[_json(value) for value in row] for row in rows.fetchall()]


def _nullable(connection: duckdb.DuckDBPyConnection, path: str) -> dict[str, bool]:
    """By column, from the statistics of the row groups; absent for nested columns and where none were written."""
    counted = "CASE WHEN count(*) = count(stats_null_count) THEN sum(stats_null_count) > 0 ELSE true END"
    query = f"SELECT path_in_schema, {counted} FROM parquet_metadata(?) GROUP BY 1"  # noqa: S608
    return dict(connection.execute(query, [path]).fetchall())


def _column(name: str, kind: str, nullable: bool, values: Sequence[Any]) -> dict[str, Any]:
    examples: list[Any] = []
    for value in values:
        if value is not None and not isinstance(value, (list, dict)) and value not in examples:
            examples.append(value[: limits.EXAMPLE_CHARACTERS] if isinstance(value, str) else value)
        if len(examples) == limits.EXAMPLES:
            break
    return {
        "name": name[: limits.NAME_CHARACTERS],
        "type": _type(kind),
        "nullable": nullable,
        "examples": examples,
    }


def _type(kind: str) -> str:
    if kind in _INTEGERS:
        return "integer"
    if kind.endswith("]"):
        return "array"
    if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        return "float"
    if kind.startswith("TIMESTAMP"):
        return "datetime"
    return {"BOOLEAN": "boolean", "DATE": "date"}.get(
        kind, "object" if kind.startswith(("STRUCT", "MAP")) else "string"
    )


def _json(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _EXACT else str(value)
    if isinstance(value, (float, Decimal)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): _json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    return value[: limits.CELL_CHARACTERS // 2].hex() if isinstance(value, (bytes, bytearray)) else str(value)
