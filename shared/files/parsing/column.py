"""The type of a column, inferred over every one of its values and not over a sample."""

import math
import re
from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime
from typing import Any, Final

from shared.files.parsing import limits

# In a column of numbers these are gaps, and then in the file's other columns as well; where all columns are words
# they are words (Namibia's code is NA).
_GAPS: Final = frozenset(("NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "nan", "-"))
_GAP_CHARACTERS: Final = 8
_INTEGER: Final = re.compile(r"[+-]?(0|[1-9][0-9]{0,29})").fullmatch
_FLOAT: Final = re.compile(r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][+-]?[0-9]{1,3})?").fullmatch
_PADDED: Final = re.compile(r"[+-]?0[0-9]").match
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_DATETIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.*").fullmatch
_TYPED_STARTS: Final = frozenset("0123456789+-.tTfF")
# Beyond this JavaScript's numbers lose digits.
_EXACT: Final = 2**53


def _is_integer(text: str) -> bool:
    return _INTEGER(text) is not None


def _is_float(text: str) -> bool:
    return (_FLOAT(text) is not None and not _PADDED(text)) or _is_integer(text)


def _is_boolean(text: str) -> bool:
    return text.lower() in ("true", "false")


def is_date(text: str) -> bool:
    """An ISO 8601 calendar date."""
    return _DATE(text) is not None and _parses(date.fromisoformat, text)


def is_datetime(text: str) -> bool:
    """An ISO 8601 date and time, with or without an offset; a date alone counts as midnight."""
    return (_DATETIME(text) is not None and _parses(datetime.fromisoformat, text)) or is_date(text)


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


_TESTS: Final[dict[str, Callable[[str], bool]]] = {
    "integer": _is_integer,
    "float": _is_float,
    "boolean": _is_boolean,
    "date": is_date,
    "datetime": is_datetime,
}
_WIDER: Final = {"integer": "float", "date": "datetime"}


class Words(str):
    """Text of a typed cell that looks like a number, a date or a boolean, and is none."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Words) and str.__eq__(self, other)

    def __hash__(self) -> int:
        return hash((Words, str(self)))


def as_words(text: str) -> str:
    """The text of a cell that is declared to be text."""
    may_be_typed = text[:1] in _TYPED_STARTS or text[:1].isspace()
    return Words(text) if may_be_typed and type_of(text.strip()) != "string" else text


def type_of(text: str) -> str:
    """The narrowest type that one value, stripped, can have."""
    return next((name for name, test in _TESTS.items() if test(text)), "string")


def is_number(text: str) -> bool:
    """Whether it is one, as a column of numbers holds them."""
    return _is_float(text)


class Column:
    """Fed with every value of a column as it stands in the file; knows the column's type at the end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._type = ""
        self._empty = False
        self._marks: set[str] = set()
        self._examples: list[str] = []

    @property
    def is_text(self) -> bool:
        """What was seen so far is no number, boolean or date."""
        return self._type in ("", "string")

    def see_all(self, texts: Iterable[str]) -> None:
        """More values, which may be each different one once."""
        if self._type == "string" and len(self._examples) == limits.EXAMPLES:
            # There are but gaps left to find.
            texts = [text for text in texts if len(text) < _GAP_CHARACTERS or text.isspace()]
        for text in texts:
            self.see(text)

    def see(self, text: str) -> None:
        """One more value."""
        if not text or text.isspace():
            self._empty = True
            return
        stripped = text.strip()
        if stripped in _GAPS:
            self._marks.add(stripped)
            return
        if isinstance(text, Words):
            self._type = "string"
        elif self._type != "string":
            self._narrow(stripped)
        if len(self._examples) < limits.EXAMPLES and text not in self._examples:
            self._examples.append(text)

    def _narrow(self, text: str) -> None:
        if not self._type:
            self._type = type_of(text)
        elif not _TESTS[self._type](text):
            wider = _WIDER.get(self._type)
            self._type = wider if wider and _TESTS[wider](text) else "string"

    @property
    def gaps(self) -> set[str]:
        """The marks that stand for an absent value here, for certain."""
        return set() if self.is_text else self._marks

    def value(self, text: str, gaps: Collection[str]) -> Any:
        """A value as JSON: numbers and booleans by the column's type; null for the file's `gaps`."""
        stripped = text.strip()
        if not stripped or stripped in gaps:
            return None
        if self._type == "integer":
            return int(stripped) if abs(int(stripped)) <= _EXACT else stripped
        if self._type == "float":
            return float(stripped) if math.isfinite(float(stripped)) else stripped
        if self._type == "boolean":
            return stripped.lower() == "true"
        return text if self.is_text else stripped

    def schema(self, gaps: Collection[str]) -> dict[str, Any]:
        """The column's entry in the result."""
        examples = [value for text in self._examples if (value := self.value(text, gaps)) is not None]
        return {
            "name": self.name,
            "type": self._type or "string",
            "nullable": self._empty or not self._marks.isdisjoint(gaps),
            "examples": [_short(example) for example in examples],
        }


def _short(example: Any) -> Any:
    return example[: limits.EXAMPLE_CHARACTERS] if isinstance(example, str) else example
