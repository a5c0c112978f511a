"""Which of a spreadsheet's numbers are dates, and which dates they are."""

import re
from datetime import date, datetime, timedelta
from typing import Final, Literal

Temporal = Literal["date", "datetime", "time", "elapsed"]
_BUILT_IN: Final[dict[int, Temporal]] = {
    **dict.fromkeys((14, 15, 16, 17, *range(27, 32), 34, 35, 36, *range(50, 59)), "date"),
    **dict.fromkeys((18, 19, 20, 21, 32, 33, 45, 47), "time"),
    22: "datetime",
    46: "elapsed",
}
_ELAPSED: Final = re.compile(r"\[(h+|m+|s+)\]", re.I)
# Quoted text, escaped and padding characters, colours, conditions and locales.
_NOT_CODE: Final = re.compile(r'"[^"]*"?|[\\_*].|\[[^\]]*\]')
_ASCII_LETTER: Final = re.compile("[a-z]")
# Also of eras, weeks and AM/PM. "Standard" and what else General is called have others.
_DATE_LETTERS: Final = frozenset("dmyhsabegp")
_LAST_DAY: Final = 2_958_466  # 1 January 10000
_DAY_MS: Final = 86_400_000


def temporal_of(number: int, code: str | None) -> Temporal | None:
    """What a number format shows: `number` is its id, `code` its own text when the workbook defines it."""
    if code is None:
        return _BUILT_IN.get(number)
    if _ELAPSED.search(code):
        return "elapsed"
    letters = set(_ASCII_LETTER.findall(_NOT_CODE.sub("", code.partition(";")[0]).lower()))
    if not letters <= _DATE_LETTERS:
        return None
    day, clock = letters & {"d", "y"}, letters & {"h", "s"}
    if day or (letters & {"m"} and not clock):
        return "datetime" if clock else "date"
    return "time" if clock else None


def rendered(serial: float, temporal: Temporal, starts_1904: bool) -> str | None:
    """The serial number as ISO 8601 text; None when it is no date."""
    total = round(serial * _DAY_MS)
    if temporal == "elapsed":
        return _clock(total) if total >= 0 else None
    if not 0 <= total < _LAST_DAY * _DAY_MS:
        return None
    if temporal == "time" and total < _DAY_MS:
        return _clock(total)
    try:
        moment = _epoch(serial, starts_1904) + timedelta(milliseconds=total)
    except OverflowError:
        return None
    if temporal == "date" and total % _DAY_MS == 0:
        return date(moment.year, moment.month, moment.day).isoformat()
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def _epoch(serial: float, starts_1904: bool) -> datetime:
    if starts_1904:
        return datetime(1904, 1, 1)  # noqa: DTZ001 - a spreadsheet knows no zones
    # Excel counts a 29 February 1900, which never was.
    return datetime(1899, 12, 30 if serial >= 60 else 31)  # noqa: DTZ001


def _clock(total_ms: int) -> str:
    seconds, ms = divmod(total_ms, 1000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{ms:03}" if ms else text
