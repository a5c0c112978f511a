"""Workbooks: where on a sheet the table is, and which sheet is shown first."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

from shared.files.parsing import limits
from shared.files.parsing.limits import OverLimit, Stopwatch
from shared.files.parsing.result import Found
from shared.files.parsing.table import Table

_LOOKED_AT: Final = 50


@dataclass
class Sheet:
    """`rows` are texts by column, at least one of them not empty; `warnings` is asked when all rows were read."""

    name: str
    hidden: bool
    rows: Iterator[list[str]]
    warnings: Callable[[], list[str]]


def read_sheets(sheets: Iterable[Sheet], stopwatch: Stopwatch) -> Found:
    """The first visible sheet with rows (else a hidden one) with an overview of all in `sheets`."""
    read: list[tuple[Sheet, Found]] = []
    limited = ""
    for sheet in sheets:
        if len(read) == limits.SHEETS:
            limited = f"the workbook has more than {limits.SHEETS} sheets"
            break
        found = _read_sheet(sheet, stopwatch)
        read.append((sheet, found))
        if found.limited:
            limited = f"sheet {_name(sheet)}: {found.limited}"
            break
    return _shown(read, limited)


def _shown(read: list[tuple[Sheet, Found]], limited: str) -> Found:
    by_use = sorted(read, key=lambda one: (not one[1].row_count and not one[1].schema, one[0].hidden))
    shown = by_use[0][1] if by_use else Found("table", row_count=0)
    if len(read) > 1 and shown.schema:
        shown.warn(f"shown is sheet {_name(by_use[0][0])}, one of {len(read)}: see sheets")
    shown.limited = limited
    shown.sheets = [_overview(sheet, found) for sheet, found in read]
    return shown


def _overview(sheet: Sheet, found: Found) -> dict[str, Any]:
    return {
        "name": _name(sheet),
        "hidden": sheet.hidden,
        "schema": found.schema,
        "row_count": found.row_count,
        "preview": found.preview[: limits.SHEET_PREVIEW_ROWS],
        "warnings": list(found.warnings),
    }


def _name(sheet: Sheet) -> str:
    return sheet.name[: limits.NAME_CHARACTERS]


def _read_sheet(sheet: Sheet, stopwatch: Stopwatch) -> Found:
    found = Found("table", row_count=0)
    table = Table(found, stopwatch)
    try:
        first = _first_rows(sheet.rows, found)
        place = _Place(first)
        for number, row in enumerate(chain(first[place.top :], sheet.rows)):
            (table.take if number else table.begin)(place.cut(row))
        place.tell(found)
    except OverLimit as limit:
        found.limited = str(limit)
    table.finish()
    for warning in sheet.warnings():
        found.warn(warning)
    return found


def _first_rows(rows: Iterator[list[str]], found: Found) -> list[list[str]]:
    first: list[list[str]] = []
    try:
        for row in islice(rows, _LOOKED_AT):
            first.append(row)
    except OverLimit as limit:
        found.limited = str(limit)
    return first


class _Place:
    """The table's first row and its columns, as the first rows of the sheet suggest them."""

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        self._left = min((_leading(row) for row in rows), default=0)
        filled = max((_filled(row) for row in rows), default=0)
        names = (number for number, row in enumerate(rows) if self._may_name(row, filled))
        self.top = next(names, 0)
        self._width = max((len(row) for row in rows), default=0) - self._left
        self._cut_off = 0

    def _may_name(self, row: Sequence[str], filled: int) -> bool:
        # An index column has no name, but between two names there is no gap.
        return _filled(row) >= max(1, filled - 1) and "" not in row[_leading(row) :] and self._left_of(row) <= 1

    def _left_of(self, row: Sequence[str]) -> int:
        return _leading(row) - self._left

    def cut(self, row: Sequence[str]) -> list[str]:
        cells = list(row[self._left :])
        self._cut_off += any(row[: self._left])
        return cells + [""] * (self._width - len(cells))

    def tell(self, found: Found) -> None:
        """Warns of what lies around the table."""
        if self.top:
            found.warn(f"rows above the table were left out: {self.top}")
        if self._cut_off:
            found.warn(f"cells left of the table were left out in rows: {self._cut_off}")


def _leading(row: Sequence[str]) -> int:
    return next((place for place, cell in enumerate(row) if cell), 0)


def _filled(row: Sequence[str]) -> int:
    return sum(1 for cell in row if cell)
