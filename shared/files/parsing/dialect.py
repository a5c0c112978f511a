"""How a table of text is written: its delimiter, and whether its first row names the columns."""

import csv
from collections import Counter
from collections.abc import Sequence
from io import StringIO
from typing import Final

from shared.files.parsing.column import Column

_DELIMITERS: Final = (",", "\t", ";", "|")
_SAMPLED_ROWS: Final = 200
# Prose has commas as well, but never the same number in each line.
_REGULAR: Final = 0.9
_FEWEST_ROWS: Final = 3


def delimiter_of(sample: str, fallback: str = "") -> str:
    """The delimiter that cuts the sample's lines most regularly; `fallback` when none does."""
    directive = sample.partition("\n")[0].strip().lower()
    if directive.startswith("sep=") and len(directive) == 5:
        return directive[4]
    regularity, width, delimiter = max(_regularity(sample, delimiter) for delimiter in _DELIMITERS)
    return delimiter if width > 1 and (regularity >= _REGULAR or fallback) else fallback


def _regularity(sample: str, delimiter: str) -> tuple[float, int, str]:
    rows = _rows(sample, delimiter)
    if not rows:
        return 0.0, 0, delimiter
    width, count = Counter(map(len, rows)).most_common(1)[0]
    return (count / max(len(rows), _FEWEST_ROWS) if width > 1 else 0.0), width, delimiter


def _rows(sample: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(StringIO(sample, newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) == _SAMPLED_ROWS:
                break
    except csv.Error:
        pass
    return rows


def is_header(row: Sequence[str], below: Sequence[str]) -> bool:
    """Whether a first row names columns: words, no number or date among them, and none twice unless one is below."""
    named = [cell.strip() for cell in row if cell.strip()]
    if not named or not all(map(_is_word, named)):
        return False
    return len(set(named)) == len(named) or not all(map(_is_word, below))


def _is_word(cell: str) -> bool:
    column = Column("")
    column.see(cell)
    return column.is_text


def column_names(row: Sequence[str]) -> list[str]:
    """A header's names, made whole and unique."""
    names: list[str] = []
    taken: set[str] = set()
    for number, cell in enumerate(row, 1):
        name = plain = " ".join(cell.split())[:200] or f"column_{number}"
        suffix = 2
        while name in taken:
            name, suffix = f"{plain}_{suffix}", suffix + 1
        taken.add(name)
        names.append(name)
    return names
