"""The fields of JSON objects and what their values have in common."""

from typing import Any

from shared.files.parsing import limits
from shared.files.parsing.column import is_date, is_datetime
from shared.files.parsing.limits import OverLimit
from shared.files.parsing.result import Found, shortened

_WIDER = {("integer", "float"): "float", ("date", "datetime"): "datetime"}
_TEXTS = frozenset(("string", "date", "datetime"))


class Rows:
    """Fed with every item of an array or line of NDJSON; what is no object is a row of one `value`."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._fields: dict[str, Field] = {}
        self.count = 0

    def take(self, item: Any) -> None:
        """One more item."""
        row = item if isinstance(item, dict) else {"value": item}
        for name, value in row.items():
            field = self._fields.get(name) or self._new_field(name)
            field.see(value)
        self.count += 1
        if self.count <= limits.PREVIEW_ROWS:
            self._found.preview.append(shortened(row))

    def _new_field(self, name: str) -> "Field":
        if len(self._fields) == limits.COLUMNS:
            raise OverLimit(f"the objects have more than {limits.COLUMNS} different fields")
        return self._fields.setdefault(name, Field(name))

    def tell(self) -> None:
        """Writes what was learnt to the result."""
        self._found.row_count = self.count
        self._found.schema = [field.schema(self.count) for field in self._fields.values()]


class Field:
    """One name's values."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._type = ""
        self._count = 0
        self._examples: list[Any] = []

    def see(self, value: Any) -> None:
        """One more value; null is the absence of one."""
        if value is None:
            return
        self._count += 1
        if self._type != "string" or not isinstance(value, str):
            self._type = _joined(self._type, _type_of(value))
        if len(self._examples) < limits.EXAMPLES and not isinstance(value, (list, dict)):
            example = value[: limits.EXAMPLE_CHARACTERS] if isinstance(value, str) else value
            if example not in self._examples:
                self._examples.append(example)

    def schema(self, rows: int) -> dict[str, Any]:
        """The field's entry in the result; nullable when some of the `rows` lack it."""
        return {
            "name": self._name[: limits.NAME_CHARACTERS],
            "type": self._type or "null",
            "nullable": self._count < rows,
            "examples": self._examples,
        }


def _type_of(value: Any) -> str:
    if isinstance(value, str):
        return "date" if is_date(value) else "datetime" if is_datetime(value) else "string"
    names = {bool: "boolean", int: "integer", float: "float", list: "array", dict: "object"}
    return names[type(value)]


def _joined(one: str, other: str) -> str:
    if not one or one == other:
        return other
    first, second = sorted((one, other), key=lambda name: name in ("float", "datetime"))
    if (first, second) in _WIDER:
        return _WIDER[first, second]
    return "string" if {one, other} <= _TEXTS else "mixed"
