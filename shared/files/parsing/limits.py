"""How much of a file is looked at, and how much of it is told."""

import time
from typing import Final

FILE_BYTES: Final = 256 << 20
COLUMNS: Final = 2_000
FIELD_CHARACTERS: Final = 1 << 20
LINE_BYTES: Final = 10 << 20
DEPTH: Final = 256
PREVIEW_ROWS: Final = 100
RESULT_BYTES: Final = 1 << 20
TEXT_CHARACTERS: Final = 200_000
CELL_CHARACTERS: Final = 2_000
NAME_CHARACTERS: Final = 200
EXAMPLES: Final = 3
EXAMPLE_CHARACTERS: Final = 100
WARNINGS: Final = 50


class OverLimit(Exception):
    """A limit ended the reading; the message is for the caller. What was read before it counts."""


class Malformed(Exception):
    """The content breaks its format's rules; the message is for the caller."""


class Stopwatch:
    """Ends a reading that takes longer than `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Raises OverLimit when the time is over."""
        if time.monotonic() > self._end:
            raise OverLimit(f"reading took longer than {self._seconds:.0f} seconds")
