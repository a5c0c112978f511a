"""Bytes that are no text in a text's encoding: shown as U+FFFD, counted by line and told."""

import codecs
from typing import Final

from shared.files.parsing.result import Found

# No decoder gives a lone surrogate, whereas U+FFFD itself may well be in the text.
_MARK: Final = "\udfff"
ERRORS: Final = "traffic_cop.mark"
codecs.register_error(ERRORS, lambda error: (_MARK, error.end if isinstance(error, UnicodeDecodeError) else 0))


class Undecodable:
    """Fed with every piece of a text that was decoded with the error handler ERRORS."""

    def __init__(self) -> None:
        self._count = self._first = self._last = 0

    def mended(self, text: str, number: int) -> str:
        """The text as it is shown; `number` is that of its first line."""
        if text.isascii() or _MARK not in text:
            return text
        for place, line in enumerate(text.rstrip("\r\n").split("\n"), number):
            if _MARK in line and place != self._last:
                self._first, self._last = self._first or place, place
                self._count += 1
        return text.replace(_MARK, "\ufffd")

    def tell(self, found: Found) -> None:
        """Warns of the lines."""
        if self._count:
            lines = "line holds" if self._count == 1 else "lines hold"
            found.warn(f"{self._count} {lines} bytes that are not {found.encoding}, first line {self._first}")
