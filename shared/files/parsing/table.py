"""A table of text cells, read whole and held never: its columns' types, its first rows, what is odd about it."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from shared.files.parsing import limits
from shared.files.parsing.column import Column, Words, is_number
from shared.files.parsing.dialect import column_names, is_header
from shared.files.parsing.limits import Stopwatch
from shared.files.parsing.result import Found, shortened

# Values are looked at by column and in batches: of most columns that is a few different ones.
_BATCH_ROWS: Final = 1_000
_BATCH_CHARACTERS: Final = 4 << 20
# What a spreadsheet runs when it opens an export of these cells (OWASP ASVS 5.0, 1.2.10).
_FORMULA_STARTS: Final = frozenset("=+-@\t\r")


class Table:
    """Fed with `begin` and then `take`, both of which may raise OverLimit; `finish` writes to `found`."""

    def __init__(self, found: Found, stopwatch: Stopwatch) -> None:
        self._found = found
        self._stopwatch = stopwatch
        self._columns: list[Column] = []
        self._batch: list[Sequence[str]] = []
        self._size = 0
        self._kept: list[Sequence[str]] = []
        self._short = _Irregular("shorter than the header")
        self._long = _Irregular("longer than the header")
        self._formulas = _Formulas()
        self._width = 0
        self._first: Sequence[str] | None = None
        self.rows = 0

    def begin(self, first: Sequence[str]) -> None:
        """The first row, which names the columns or belongs to the table itself: the row below it tells."""
        self._width = len(first)
        self._first = first

    def _open(self, first: Sequence[str], below: Sequence[str]) -> None:
        self._first = None
        cut = first[: limits.COLUMNS]
        if is_header(first, below):
            self._columns = [Column(name) for name in column_names(cut)]
            return
        self._columns = [Column(f"column_{number}") for number in range(1, len(cut) + 1)]
        self._found.warn("no header was recognised: columns are numbered")
        self.take(first)

    def take(self, row: Sequence[str]) -> None:
        """One more row."""
        if self._first is not None:
            self._open(self._first, row)
        self.rows += 1
        if len(row) != len(self._columns):
            row = self._fitted(row)
        self._batch.append(row)
        if self.rows <= limits.PREVIEW_ROWS:
            self._kept.append(row)
        self._size += sum(map(len, row))
        if len(self._batch) == _BATCH_ROWS or self._size > _BATCH_CHARACTERS:
            self._look()
            self._stopwatch.check()

    def _fitted(self, row: Sequence[str]) -> list[str]:
        missing = len(self._columns) - len(row)
        if missing > 0:
            self._short.note(self.rows)
        elif len(self._columns) < limits.COLUMNS:
            self._long.note(self.rows)
        return [*row[: len(self._columns)], *[""] * missing]

    def _look(self) -> None:
        before = self.rows - len(self._batch)
        for column, cells in zip(self._columns, zip(*self._batch, strict=True), strict=False):
            different = dict.fromkeys(cells)
            column.see_all(different)
            self._formulas.look(different, cells, before)
        self._batch.clear()
        self._size = 0

    def finish(self) -> None:
        """Writes what was learnt, also of a table that ended early."""
        if self._first is not None:
            self._open(self._first, ())
        self._look()
        found = self._found
        found.row_count = self.rows
        gaps = set[str]().union(*(column.gaps for column in self._columns))
        found.schema = [column.schema(gaps) for column in self._columns]
        found.preview = [self._row_of(cells, gaps) for cells in self._kept]
        found.formula_like_cells = self._formulas.count
        for oddity in (self._short, self._long, self._formulas):
            if oddity.count:
                found.warn(oddity.told())
        if self._width > limits.COLUMNS and not found.limited:
            found.limited = f"the table has {self._width} columns; only {limits.COLUMNS} were read"

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


class _Formulas:
    def __init__(self) -> None:
        self._first = 0
        self.count = 0

    def look(self, different: Iterable[str], cells: Sequence[str], before: int) -> None:
        formulas = {cell for cell in different if cell[:1] in _FORMULA_STARTS and _is_formula(cell)}
        rows = [row for row, cell in enumerate(cells, before + 1) if cell in formulas] if formulas else []
        if rows:
            self._first = min(self._first or rows[0], rows[0])
            self.count += len(rows)

    def told(self) -> str:
        cells = "cell begins" if self.count == 1 else "cells begin"
        return f"{self.count} {cells} like a formula (= + - @), first row {self._first}"


def _is_formula(cell: str) -> bool:
    return len(cell) > 1 and (isinstance(cell, Words) or not is_number(cell))
