"""DOCX: the words of the main part in reading order; tables a line a row, cells apart by tabs."""

from typing import Final

from shared.files.parsing import limits
from shared.files.parsing.archive import Archive
from shared.files.parsing.limits import OverLimit, Stopwatch
from shared.files.parsing.package import main_part
from shared.files.parsing.pages import show
from shared.files.parsing.result import Found
from shared.files.parsing.sniffed import Sniffed
from shared.files.parsing.xml import Attributes, Handler, walk

_CHARACTERS: Final = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011"}
# Properties hold tab stops; a fallback says again what stands before it.
_SKIPPED: Final = frozenset(("pPr", "rPr", "Fallback", "instrText", "delText"))

_PIECES: Final = 64


def read(sniffed: Sniffed, stopwatch: Stopwatch) -> Found:
    """The text; `row_count` is the number of paragraphs that are not empty."""
    archive = Archive(sniffed.path, limits.DOCUMENT_BYTES)
    main = main_part(archive)
    found = Found("document")
    body = _Body()
    try:
        walk(archive.open(main), main, body, stopwatch)
    except OverLimit as limit:
        found.limited = str(limit)
    show(found, body.whole())
    found.row_count = body.paragraphs
    return found


class _Body(Handler):
    def __init__(self) -> None:
        self.paragraphs = 0
        self._parts: list[str] = []
        self._length = 0
        self._line: list[str] = []
        self._skipping = 0
        self._in_text = self._has_words = False
        self._cells = 0

    def start(self, name: str, attributes: Attributes) -> None:
        if name in _SKIPPED:
            self._skipping += 1
        elif self._skipping:
            return
        elif name == "t":
            self._in_text = True
        elif name == "tc":
            self._cells += 1
        elif name in _CHARACTERS:
            self._line.append(_CHARACTERS[name])

    def text(self, data: str) -> None:
        if self._in_text and not self._skipping:
            self._line.append(data)
            self._has_words = self._has_words or not data.isspace()
            if len(self._line) > _PIECES:
                self._flush("")

    def end(self, name: str) -> None:
        if name in _SKIPPED:
            self._skipping -= 1
        elif name == "t":
            self._in_text = False
        elif name == "p" and not self._skipping:
            self._end_paragraph()
        elif name == "tc" and not self._skipping:
            self._cells -= 1
            self._keep("\t")
        elif name == "tr" and not self._skipping:
            self._keep("\n")

    def _end_paragraph(self) -> None:
        self.paragraphs += self._has_words
        self._has_words = False
        self._flush(" " if self._cells else "\n")

    def _flush(self, end: str) -> None:
        self._keep("".join(self._line) + end)
        self._line.clear()

    def _keep(self, text: str) -> None:
        # One character more than is shown tells that there is more.
        kept = text[: max(0, limits.TEXT_CHARACTERS + 1 - self._length)]
        if kept:
            self._parts.append(kept)
            self._length += len(kept)

    def whole(self) -> str:
        self._flush("")
        return "".join(self._parts).replace(" \t", "\t").replace("\t\n", "\n")
