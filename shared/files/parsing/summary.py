"""What a file's record says of its result, which comes from the child and is checked like anything from outside."""

from typing import Any

import msgspec

from shared.files.parsing.result import Kind


class _Result(msgspec.Struct):
    kind: Kind
    schema: list[msgspec.Raw]
    row_count: int | None
    preview: list[msgspec.Raw]
    encoding: str | None
    warnings: list[str]


def summary_of(encoded: bytes) -> dict[str, Any]:
    """Kind and counts. ValueError when this is no result."""
    try:
        result = msgspec.json.decode(encoded, type=_Result)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("this is no result of parsing") from error
    counts = {"column_count": len(result.schema), "warning_count": len(result.warnings)}
    return {"kind": result.kind, "row_count": result.row_count, "encoding": result.encoding, **counts}
