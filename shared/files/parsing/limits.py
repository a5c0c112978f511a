"""How much of a file is looked at, and how much of it is told."""

import time
from typing import Final

FILE_BYTES: Final = 256 << 20
INFLATED_BYTES: Final = 512 << 20
ARCHIVE_ENTRIES: Final = 10_000
PART_BYTES: Final = 16 << 20
SHARED_TEXT_BYTES: Final = 128 << 20
DOCUMENT_BYTES: Final = 128 << 20
CALAMINE_BYTES: Final = 32 << 20
CALAMINE_INFLATED_BYTES: Final = 256 << 20
SHEETS: Final = 50
CELLS: Final = 20_000_000
COLUMNS: Final = 2_000
FIELD_CHARACTERS: Final = 1 << 20
LINE_BYTES: Final = 10 << 20
DEPTH: Final = 256
PREVIEW_ROWS: Final = 100
SHEET_PREVIEW_ROWS: Final = 10
RESULT_BYTES: Final = 1 << 20
TEXT_CHARACTERS: Final = 200_000
PAGES: Final = 2_000
CELL_CHARACTERS: Final = 2_000
NAME_CHARACTERS: Final = 200
EXAMPLES: Final = 3
EXAMPLE_CHARACTERS: Final = 100
WARNINGS: Final = 50


class OverLimit(Exception):
    """A limit ended the reading; the message is for the caller. What was read before it counts."""


class Malformed(Exception):
    """The content breaks its format's rules; the message is for the caller."""


class Unsupported(Exception):
    """The format is known not to be parsed, or not known; the message is for the caller."""


class Stopwatch:
    """Ends a reading that takes longer than `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Raises OverLimit when the time is over."""
        if time.monotonic() > self._end:
            raise OverLimit(f"reading took longer than {self._seconds:.0f} seconds")
