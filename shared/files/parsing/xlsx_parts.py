"""The parts of an XLSX workbook that its sheets refer to: the list of sheets, shared texts, number formats."""

import re
from typing import Final

from shared.files.parsing import limits
from shared.files.parsing.column import as_words
from shared.files.parsing.limits import OverLimit
from shared.files.parsing.number_formats import Temporal, temporal_of
from shared.files.parsing.xml import Attributes, Handler, attribute

_ESCAPE: Final = re.compile("_x([0-9A-Fa-f]{4})_")
_STYLES: Final = 100_000


def unescaped(text: str) -> str:
    """The text of a cell; characters that XML cannot hold are written `_x000D_`."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


class WorkbookPart(Handler):
    """`sheets` are names, relationships and whether each is hidden."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, str, bool]] = []
        self.starts_1904 = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "workbookPr":
            self.starts_1904 = attributes.get("date1904") in ("1", "true", "on")
        elif name == "sheet":
            if len(self.sheets) == limits.ARCHIVE_ENTRIES:
                raise OverLimit("the workbook has too many sheets")
            hidden = attributes.get("state", "visible") != "visible"
            self.sheets.append((attributes.get("name", ""), attribute(attributes, "id"), hidden))


class SharedTexts(Handler):
    """`texts` in their order; readings of East Asian names (`rPh`) are left out."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._parts: list[str] = []
        self._in_text = False
        self._in_reading = False
        self._left = limits.SHARED_TEXT_BYTES

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "t":
            self._in_text = not self._in_reading
        elif name == "rPh":
            self._in_reading = True

    def end(self, name: str) -> None:
        if name == "t":
            self._in_text = False
        elif name == "rPh":
            self._in_reading = False
        elif name == "si":
            self.texts.append(as_words(unescaped("".join(self._parts))))
            self._parts.clear()
            self._spend(64)

    def text(self, data: str) -> None:
        if self._in_text:
            self._spend(len(data))
            self._parts.append(data)

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise OverLimit(f"the workbook holds more than {limits.SHARED_TEXT_BYTES >> 20} MiB of texts")


class Styles(Handler):
    """Cell styles by their number, as far as they make dates of numbers."""

    def __init__(self) -> None:
        self._codes: dict[int, str] = {}
        self._used: list[int] = []
        self._in_cells = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "numFmt":
            self._codes[_number(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            self._used.append(_number(attributes.get("numFmtId")))
        if len(self._codes) + len(self._used) > _STYLES:
            raise OverLimit("the workbook has too many styles")

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cells = False

    def formats(self) -> list[Temporal | None]:
        """What each cell style makes of a number."""
        return [temporal_of(number, self._codes.get(number)) for number in self._used]


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0
