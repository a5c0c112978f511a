"""The cells of an XLSX sheet as texts: numbers plain, dates in ISO 8601, booleans `true` and `false`, errors empty."""

from dataclasses import dataclass

from shared.files.parsing import limits
from shared.files.parsing.column import as_words
from shared.files.parsing.limits import OverLimit
from shared.files.parsing.number_formats import Temporal, rendered
from shared.files.parsing.xlsx_parts import unescaped
from shared.files.parsing.xml import Attributes, Handler

_COLUMNS_OF_EXCEL = 16_384


def column_of(reference: str, known: dict[str, int]) -> int:
    """`B7` → 1; -1 for what is no reference."""
    letters = reference.rstrip("0123456789")
    found = known.get(letters)
    if found is None:
        found = 0
        for letter in letters if 0 < len(letters) <= 3 and letters.isalpha() and letters.isascii() else "":
            found = found * 26 + ord(letter.upper()) - 64
        known[letters] = found = found - 1
    return found if found < _COLUMNS_OF_EXCEL else -1


def plain_number(text: str) -> str | None:
    """A number as this project writes it (`1.0` is `1`); None when it is none."""
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return text if text[0] != "0" else str(int(text))
    try:
        number = float(text)
    except ValueError:
        return None
    if number != number or number in (float("inf"), float("-inf")):
        return None
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


@dataclass(frozen=True)
class CellReading:
    """What cells refer to: shared texts, what each style makes of a number, the beginning of dates."""

    texts: list[str]
    formats: list[Temporal | None]
    starts_1904: bool

    def text_of(self, kind: str, style: str, content: str) -> str | None:
        """A cell's text; None when it cannot be read."""
        if kind == "n":
            return self._number(content.strip(), style)
        if kind == "s":
            index = content.strip()
            known = index.isascii() and index.isdigit() and int(index[:9]) < len(self.texts)
            return self.texts[int(index[:9])] if known else None
        if kind == "b":
            return "true" if content.strip() in ("1", "true") else "false"
        return content.strip() if kind == "d" else as_words(unescaped(content))

    def _number(self, content: str, style: str) -> str | None:
        number = plain_number(content)
        temporal = self._temporal(style)
        if number is None or temporal is None:
            return number
        return rendered(float(number), temporal, self.starts_1904) or number

    def _temporal(self, style: str) -> Temporal | None:
        known = style.isascii() and style.isdigit() and len(style) < 9 and int(style) < len(self.formats)
        return self.formats[int(style)] if known else None


class Cells(Handler):
    """Gathers `rows` as the sheet is walked through; a row without any value is no row."""

    def __init__(self, reading: CellReading) -> None:
        self.rows: list[list[str]] = []
        self._reading = reading
        self._row: list[str] = []
        self._letters: dict[str, int] = {}
        self._column = -1
        self._kind = self._style = ""
        self._parts: list[str] = []
        self._length = 0
        self._keeping = self._has_formula = self._in_reading = False
        self._errors = self._unreadable = self._uncomputed = self._beyond = 0

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "c":
            self._start_cell(attributes)
        elif name in ("v", "t"):
            self._keeping = not self._in_reading
        elif name == "f":
            self._has_formula = True
        elif name == "rPh":
            self._in_reading = True
        elif name == "row":
            self._column = -1

    def _start_cell(self, attributes: Attributes) -> None:
        column = column_of(attributes.get("r", ""), self._letters)
        self._column = column if column >= 0 else self._column + 1
        self._kind = attributes.get("t", "n")
        self._style = attributes.get("s", "")
        self._has_formula = False
        self._parts.clear()
        self._length = 0

    def text(self, data: str) -> None:
        if self._keeping:
            self._length += len(data)
            if self._length > limits.FIELD_CHARACTERS:
                raise OverLimit(f"a cell holds more than {limits.FIELD_CHARACTERS} characters")
            self._parts.append(data)

    def end(self, name: str) -> None:
        if name in ("v", "t"):
            self._keeping = False
        elif name == "c":
            self._end_cell()
        elif name == "row" and self._row:
            self.rows.append(self._row)
            self._row = []
        elif name == "rPh":
            self._in_reading = False

    def _end_cell(self) -> None:
        if not self._parts:
            self._uncomputed += self._has_formula
            return
        if self._kind == "e":
            self._errors += 1
            return
        text = self._reading.text_of(self._kind, self._style, "".join(self._parts))
        if text is None:
            self._unreadable += 1
        elif text:
            self._put(text)

    def _put(self, text: str) -> None:
        column, row = self._column, self._row
        if column >= limits.COLUMNS:
            self._beyond += 1
        elif column < len(row):
            row[column] = text
        else:
            row.extend([""] * (column - len(row)))
            row.append(text)

    def warnings(self) -> list[str]:
        """What was left out, once all is read."""
        told = {
            f"cells beyond column {limits.COLUMNS} were left out": self._beyond,
            "cells hold errors like #N/A or #REF! and count as empty": self._errors,
            "formulas have no stored value and count as empty": self._uncomputed,
            "cells could not be read and count as empty": self._unreadable,
        }
        return [f"{what}: {count}" for what, count in told.items() if count]
