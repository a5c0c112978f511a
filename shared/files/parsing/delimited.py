"""CSV and its relatives: read whole, held never, so that a gigabyte needs no more memory than a page."""

import csv
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from shared.files.parsing import limits
from shared.files.parsing.column import Column
from shared.files.parsing.dialect import column_names, is_header
from shared.files.parsing.encodings import Encoding
from shared.files.parsing.limits import OverLimit, Stopwatch
from shared.files.parsing.result import Found, shortened

# Values are looked at by column and in batches: of most columns that is a few different ones.
_BATCH_ROWS: Final = 1_000
_BATCH_CHARACTERS: Final = 4 << 20


def read_delimited(path: Path, encoding: Encoding, delimiter: str, stopwatch: Stopwatch) -> Found:
    """The table; a limit met on the way ends it there and says so in `limited`."""
    csv.field_size_limit(limits.FIELD_CHARACTERS)
    found = Found("table", encoding.label)
    if encoding.guessed:
        found.warn(f"the encoding is not UTF-8 and was guessed: {encoding.codec}")
    with path.open(encoding=encoding.codec, errors="replace", newline="") as file:
        _Table(found, csv.reader(file, delimiter=delimiter), stopwatch).read()
    return found


class _Table:
    def __init__(self, found: Found, reader: "Iterator[list[str]]", stopwatch: Stopwatch) -> None:
        self._found = found
        self._reader = reader
        self._stopwatch = stopwatch
        self._columns: list[Column] = []
        self._batch: list[list[str]] = []
        self._kept: list[list[str]] = []
        self._rows = 0
        self._short = _Irregular("shorter than the header")
        self._long = _Irregular("longer than the header")

    def read(self) -> None:
        try:
            self._read_rows()
        except OverLimit as limit:
            self._found.limited = str(limit)
        except csv.Error as error:
            self._found.limited = f"row {self._rows + 1} cannot be read: {error} (is a quote never closed?)"
        self._look()
        self._tell()

    def _read_rows(self) -> None:
        rows = (row for row in self._reader if row)
        first = next(rows, None)
        if first is not None and len(first) == 2 and first[0] == "sep=":
            first = next(rows, None)
        if first is None:
            return
        size = 0
        for row in self._with_header(first, rows):
            self._take(row)
            size += sum(map(len, row))
            if len(self._batch) == _BATCH_ROWS or size > _BATCH_CHARACTERS:
                self._look()
                self._stopwatch.check()
                size = 0
        if len(first) > limits.COLUMNS:
            raise OverLimit(f"the table has {len(first)} columns; only {limits.COLUMNS} were read")

    def _with_header(self, first: list[str], rows: Iterator[list[str]]) -> Iterator[list[str]]:
        width = min(len(first), limits.COLUMNS)
        if is_header(first):
            self._columns = [Column(name) for name in column_names(first[:width])]
            return rows
        self._columns = [Column(f"column_{number}") for number in range(1, width + 1)]
        self._found.warn("no header was recognised: columns are numbered")
        return chain([first], rows)

    def _take(self, row: list[str]) -> None:
        self._rows += 1
        if len(row) != len(self._columns):
            row = self._fitted(row)
        self._batch.append(row)
        if self._rows <= limits.PREVIEW_ROWS:
            self._kept.append(row)

    def _fitted(self, row: list[str]) -> list[str]:
        missing = len(self._columns) - len(row)
        if missing > 0:
            self._short.note(self._rows)
        elif len(self._columns) < limits.COLUMNS:
            self._long.note(self._rows)
        return [*row[: len(self._columns)], *[""] * missing]

    def _look(self) -> None:
        for column, cells in zip(self._columns, zip(*self._batch, strict=True), strict=False):
            for cell in dict.fromkeys(cells):
                column.see(cell)
        self._batch.clear()

    def _tell(self) -> None:
        found = self._found
        found.row_count = self._rows
        gaps = set[str]().union(*(column.gaps for column in self._columns))
        found.schema = [column.schema(gaps) for column in self._columns]
        found.preview = [self._row_of(cells, gaps) for cells in self._kept]
        for irregular in (self._short, self._long):
            if irregular.count:
                found.warn(irregular.told())

    def _row_of(self, cells: Sequence[str], gaps: Collection[str]) -> dict[str, object]:
        named = zip(self._columns, cells, strict=True)
        return {column.name: shortened(column.value(cell, gaps)) for column, cell in named}


class _Irregular:
    def __init__(self, what: str) -> None:
        self._what = what
        self._first = 0
        self.count = 0

    def note(self, row: int) -> None:
        self._first = self._first or row
        self.count += 1

    def told(self) -> str:
        rows = "row is" if self.count == 1 else "rows are"
        return f"{self.count} {rows} {self._what}, first row {self._first}"
