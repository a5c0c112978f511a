"""What a parser found, and its rendering as the JSON that clients get."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.files.parsing import limits

Kind = Literal["table", "document", "json", "text"]


@dataclass
class Found:
    """A parsed result in the making; `limited` says why it is not of the whole file."""

    kind: Kind
    encoding: str | None = None
    schema: list[dict[str, Any]] = field(default_factory=list)
    row_count: int | None = None
    preview: list[dict[str, Any]] = field(default_factory=list)
    text: str | None = None
    pages: int | None = None
    warnings: list[str] = field(default_factory=list)
    limited: str = ""
    formula_like_cells: int = 0
    sheets: list[dict[str, Any]] | None = None

    def warn(self, message: str) -> None:
        if len(self.warnings) < limits.WARNINGS:
            self.warnings.append(message)


def rendered(found: Found) -> bytes:
    """The result as JSON of at most RESULT_BYTES: previews, then text, examples and other sheets' columns give way."""
    document = _document(found)
    encoded = _encoded(document)
    if len(encoded) <= limits.RESULT_BYTES:
        return encoded
    document["warnings"].append("the preview was shortened to fit")
    _without_overviews(document, ("preview",))
    while len(encoded := _encoded(document)) > limits.RESULT_BYTES and (document["preview"] or document.get("text")):
        document["preview"] = document["preview"][: len(document["preview"]) // 2]
        if "text" in document:
            document["text"] = document["text"][: len(document["text"]) // 2]
    if len(encoded) > limits.RESULT_BYTES:
        _without_overviews(document, ("schema", "warnings"))
        document["schema"] = [{**column, "examples": []} for column in document["schema"]]
        encoded = _encoded(document)
    return encoded


def _without_overviews(document: dict[str, Any], members: tuple[str, ...]) -> None:
    if "sheets" in document:
        document["sheets"] = [{**sheet, **{member: [] for member in members}} for sheet in document["sheets"]]


def _document(found: Found) -> dict[str, Any]:
    document: dict[str, Any] = {
        "kind": found.kind,
        "schema": found.schema,
        "row_count": found.row_count,
        "preview": found.preview,
        "encoding": found.encoding,
        "warnings": list(found.warnings),
    }
    optional = {
        "text": found.text,
        "pages": found.pages,
        "sheets": found.sheets,
        "formula_like_cells": found.formula_like_cells or None,
        "limited": found.limited or None,
    }
    return {**document, **{name: value for name, value in optional.items() if value is not None}}


def _encoded(document: dict[str, Any]) -> bytes:
    # Lone surrogates, which JSON may hold and UTF-8 may not, become question marks.
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def shortened(value: Any, depth: int = 6) -> Any:
    """A JSON value as a preview shows it: long strings and lists and deep nesting end in an ellipsis."""
    if isinstance(value, str):
        return value if len(value) <= limits.CELL_CHARACTERS else value[: limits.CELL_CHARACTERS] + "…"
    if isinstance(value, (list, dict)) and depth == 0:
        return "…"
    if isinstance(value, list):
        kept = [shortened(item, depth - 1) for item in value[:100]]
        return kept if len(value) <= 100 else [*kept, "…"]
    if isinstance(value, dict):
        named = list(value.items())[: limits.COLUMNS]
        return {name[: limits.NAME_CHARACTERS]: shortened(item, depth - 1) for name, item in named}
    return value
