"""What is wrong with a request, in the words of JSON and HTTP instead of Python's."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel

_SHOWN: Final = 3
_BY_TYPE: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "list_type": "must be an array",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "int_parsing": "must be an integer",
}


def complaint(item: Mapping[str, Any], model: type[BaseModel] | None = None) -> str:
    """One of pydantic's errors; of a member that `model` does not have, it says which there are."""
    if item["type"] == "extra_forbidden":
        known = ", ".join(_members(model, item["loc"][:-1]))
        return f"is not known here; known are {known}" if known else "is not known here"
    text: str = item["msg"]
    for begin, ours in (("Input should ", "must "), ("String should ", "must "), ("Value error, ", "")):
        text = ours + text.removeprefix(begin) if text.startswith(begin) else text
    return _BY_TYPE.get(item["type"], text)


def summary(complaints: Iterable[tuple[str, str]]) -> str:
    """The first few complaints, each with the name of what it is about."""
    told = [f"{name}: {text}" if name else text for name, text in complaints]
    more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return "; ".join(told[:_SHOWN]) + more


def _members(model: type[BaseModel] | None, place: Iterable[str | int]) -> list[str]:
    found: Any = model
    for step in place:
        found = found.model_fields[step].annotation if _is_model(found) and step in found.model_fields else None
    return [field.alias or name for name, field in found.model_fields.items()] if _is_model(found) else []


def _is_model(what: Any) -> bool:
    return isinstance(what, type) and issubclass(what, BaseModel)
