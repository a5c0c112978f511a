"""NDJSON: one JSON value a line; bad lines are counted and skipped."""

import json
from pathlib import Path
from typing import IO, Any, NoReturn

from shared.files.parsing import limits
from shared.files.parsing.encodings import Encoding
from shared.files.parsing.fields import Rows
from shared.files.parsing.limits import Malformed, OverLimit, Stopwatch
from shared.files.parsing.result import Found

_LINES_BETWEEN_LOOKS = 1_000


def read_ndjson(path: Path, encoding: Encoding, stopwatch: Stopwatch) -> Found:
    """The rows; Malformed when more lines are bad than good."""
    found = Found("json", encoding.label)
    rows, bad, number = Rows(found), [], 0
    try:
        with path.open(encoding=encoding.codec, errors="replace") as file:
            while line := _next_line(file):
                number += 1
                if not line.isspace() and not _take(rows, line):
                    bad.append(number)
                if number % _LINES_BETWEEN_LOOKS == 0:
                    stopwatch.check()
    except OverLimit as limit:
        found.limited = str(limit)
    if len(bad) > rows.count:
        raise Malformed(f"{len(bad)} of {number} lines are not JSON, first line {bad[0]}")
    if bad:
        found.warn(f"lines that are not JSON were skipped: {len(bad)}, first line {bad[0]}")
    rows.tell()
    return found


def _next_line(file: IO[str]) -> str:
    line = file.readline(limits.LINE_BYTES)
    if len(line) == limits.LINE_BYTES and not line.endswith("\n"):
        raise OverLimit(f"a line is longer than {limits.LINE_BYTES >> 20} MiB")
    return line


def _take(rows: Rows, line: str) -> bool:
    value = decoded(line)
    if value is _BAD:
        return False
    rows.take(value)
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(parse_constant=_refuse)
_BAD: Any = object()


def decoded(line: str) -> Any:
    """The line's value; a private mark (see `is_value`) when it is not JSON."""
    try:
        return _DECODER.decode(line)
    except (ValueError, RecursionError):
        return _BAD


def is_value(line: str) -> bool:
    """Whether the line is an object or an array of JSON, whole."""
    return isinstance(decoded(line), (dict, list))
