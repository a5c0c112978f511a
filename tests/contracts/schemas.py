"""Schemas of the committed documents, as tests want them."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft7Validator

Json = dict[str, Any]


def closed(schema: Any) -> Any:
    """The schema, but with no members beyond those it names: what we send is all in the documents."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(one) if name not in ("const", "example", "examples") else one for name, one in schema.items()}
    if "properties" in made and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


class Frames:
    """Tells which messages of an AsyncAPI document a frame can be."""

    def __init__(self, document: Json, names: Iterator[str] | list[str], *, exact: bool = False) -> None:
        components = closed(document["components"]) if exact else document["components"]
        schemas = {"components": {"schemas": components["schemas"]}}
        self._validators = {
            name: Draft7Validator({**components["messages"][name]["payload"], **schemas}) for name in names
        }

    def fitting(self, frame: Any) -> list[str]:
        return [name for name, validator in self._validators.items() if validator.is_valid(frame)]


def messages(document: Json, action: str) -> list[str]:
    """The messages that clients send (`receive`), or those that they get."""
    operations: Mapping[str, Json] = document["operations"]
    named: list[Json] = []
    for operation in operations.values():
        if action == "receive" and operation["action"] == "receive":
            named += operation["messages"]
        elif action == "send":
            named += (
                operation["messages"]
                if operation["action"] == "send"
                else operation.get("reply", {"messages": []})["messages"]
            )
    return sorted({one["$ref"].rsplit("/", 1)[1] for one in named})
