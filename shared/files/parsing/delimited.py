"""CSV and its relatives: read whole, held never, so that a gigabyte needs no more memory than a page."""

import csv
from collections.abc import Iterator
from typing import IO

from shared.files.parsing import limits
from shared.files.parsing.limits import OverLimit, Stopwatch
from shared.files.parsing.result import Found
from shared.files.parsing.sniffed import Sniffed
from shared.files.parsing.table import Table
from shared.files.parsing.undecodable import ERRORS, Undecodable


def read(sniffed: Sniffed, stopwatch: Stopwatch) -> Found:
    """The table; a limit met on the way ends it there and says so in `limited`."""
    csv.field_size_limit(limits.FIELD_CHARACTERS)
    encoding = sniffed.encoding
    found = Found("table", encoding.label)
    if encoding.guessed:
        found.warn(f"the encoding is not UTF-8 and was guessed: {encoding.codec}")
    table, undecodable = Table(found, stopwatch), Undecodable()
    with sniffed.source.open_text(encoding.codec, ERRORS, "") as file:
        try:
            _read_rows(table, csv.reader(_lines(file, undecodable), delimiter=sniffed.delimiter))
        except OverLimit as limit:
            found.limited = str(limit)
        except csv.Error as error:
            found.limited = f"row {table.rows + 1} cannot be read: {error} (is a quote never closed?)"
    table.finish()
    undecodable.tell(found)
    return found


def _lines(file: IO[str], undecodable: Undecodable) -> Iterator[str]:
    # The reader would hold a line whole before it looks at its fields.
    number = 0
    while line := file.readline(limits.LINE_BYTES):
        if len(line) == limits.LINE_BYTES:
            raise OverLimit(f"a line is longer than {limits.LINE_BYTES >> 20} MiB")
        number += 1
        yield line if line.isascii() else undecodable.mended(line, number)


def _read_rows(table: Table, reader: "Iterator[list[str]]") -> None:
    rows = (row for row in reader if row)
    first = next(rows, None)
    if first is not None and len(first) == 2 and first[0] == "sep=":
        first = next(rows, None)
    if first is None:
        return
    table.begin(first)
    for row in rows:
        table.take(row)
