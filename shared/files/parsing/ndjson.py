"""NDJSON: one JSON value a line; bad lines are counted and skipped."""

from typing import IO

from shared.files.parsing import limits
from shared.files.parsing.fields import Rows
from shared.files.parsing.json_line import BAD, decoded
from shared.files.parsing.limits import Malformed, OverLimit, Stopwatch
from shared.files.parsing.result import Found
from shared.files.parsing.sniffed import Sniffed
from shared.files.parsing.undecodable import ERRORS, Undecodable

_LINES_BETWEEN_LOOKS = 1_000


def read(sniffed: Sniffed, stopwatch: Stopwatch) -> Found:
    """The rows; Malformed when more lines are bad than good."""
    encoding = sniffed.encoding
    found = Found("json", encoding.label)
    rows, undecodable = Rows(found), Undecodable()
    number = bad = first_bad = 0
    try:
        with sniffed.source.open_text(encoding.codec, ERRORS) as file:
            while line := _next_line(file):
                number += 1
                if not line.isspace() and not _take(rows, undecodable.mended(line, number)):
                    bad, first_bad = bad + 1, first_bad or number
                if number % _LINES_BETWEEN_LOOKS == 0:
                    stopwatch.check()
    except OverLimit as limit:
        found.limited = str(limit)
    if bad > rows.count:
        raise Malformed(f"{bad} of {number} lines are not JSON, first line {first_bad}")
    if bad:
        found.warn(f"lines that are not JSON were skipped: {bad}, first line {first_bad}")
    undecodable.tell(found)
    rows.tell()
    return found


def _next_line(file: IO[str]) -> str:
    line = file.readline(limits.LINE_BYTES)
    if len(line) == limits.LINE_BYTES and not line.endswith("\n"):
        raise OverLimit(f"a line is longer than {limits.LINE_BYTES >> 20} MiB")
    return line


def _take(rows: Rows, line: str) -> bool:
    value = decoded(line)
    if value is BAD:
        return False
    rows.take(value)
    return True
