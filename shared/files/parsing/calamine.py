"""ODS, XLS and XLSB by calamine, which holds a sheet whole and may be aborted by it: the child's limits see to that."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import python_calamine

from shared.files.parsing import limits
from shared.files.parsing.archive import Archive
from shared.files.parsing.column import as_words
from shared.files.parsing.limits import Malformed, OverLimit, Stopwatch, Unsupported
from shared.files.parsing.result import Found
from shared.files.parsing.sheets import Sheet, read_sheets
from shared.files.parsing.sniffed import Sniffed
from shared.files.parsing.xlsx_cells import plain_number

_ZIP: Final = b"PK"


def read(sniffed: Sniffed, stopwatch: Stopwatch) -> Found:
    """The first visible sheet with content as a table, all of them in `sheets`."""
    _refuse_large(sniffed)
    try:
        book = python_calamine.CalamineWorkbook.from_path(sniffed.path)
        if not book.sheets_metadata:
            raise Malformed("not a valid workbook: it has no sheets")
        return read_sheets(_sheets(book), stopwatch)
    except python_calamine.PasswordError as error:
        raise Unsupported("the document is encrypted") from error
    except python_calamine.CalamineError as error:
        raise Malformed(f"not a valid workbook: {_reason(error)}") from error
    except OSError as error:
        raise Malformed("not a valid workbook: a part of it is cut off") from error
    except BaseException as error:
        # Rust's panics are no Exception, and their class has no other name.
        if type(error).__name__ != "PanicException":
            raise
        raise Malformed("not a valid workbook: it contradicts itself") from error


def _reason(error: Exception) -> str:
    # Calamine tries all its formats and keeps the reason of none.
    undetected = "format" in str(error) and "detect" in str(error)
    return "it is damaged or claims more cells than a sheet has" if undetected else str(error)[:200]


def _refuse_large(sniffed: Sniffed) -> None:
    size = sniffed.path.stat().st_size
    if size > limits.CALAMINE_BYTES:
        raise OverLimit(f"workbooks of this kind above {limits.CALAMINE_BYTES >> 20} MiB are not parsed")
    zipped = sniffed.source.head(len(_ZIP)) == _ZIP
    if zipped and Archive(sniffed.path).claimed_bytes > limits.CALAMINE_INFLATED_BYTES:
        raise OverLimit(f"the content inflates to more than {limits.CALAMINE_INFLATED_BYTES >> 20} MiB")


def _sheets(book: python_calamine.CalamineWorkbook) -> Iterator[Sheet]:
    for number, about in enumerate(book.sheets_metadata):
        if about.typ == python_calamine.SheetTypeEnum.WorkSheet:
            hidden = about.visible != python_calamine.SheetVisibleEnum.Visible
            yield Sheet(about.name, hidden, _rows(book, number), list)


def _rows(book: python_calamine.CalamineWorkbook, number: int) -> Iterator[list[str]]:
    for cells in book.get_sheet_by_index(number).iter_rows():
        row = [_text(cell) for cell in cells]
        while row and not row[-1]:
            row.pop()
        if row:
            yield row


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return as_words(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (int, float)):
        return plain_number(str(cell)) or ""
    if isinstance(cell, (datetime, time)):
        return cell.isoformat(timespec="milliseconds" if cell.microsecond else "seconds")
    if isinstance(cell, date):
        return cell.isoformat()
    return _clock(cell) if isinstance(cell, timedelta) else ""


def _clock(elapsed: timedelta) -> str:
    seconds = round(elapsed.total_seconds())
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
