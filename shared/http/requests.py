"""What a request says beyond its route: its id, its body, its preconditions."""

import json
import math
import uuid
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, NoReturn, TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ValidationError

from shared.errors import Invalid, TooLarge, UnsupportedType
from shared.http.complaints import complaint, summary

MAX_BODY_BYTES: Final = 1_048_576
# What walks a document recursively later must never meet Python's own limit.
_MAX_DEPTH: Final = 100
JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
_Model = TypeVar("_Model", bound=BaseModel)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE: Final = BeforeValidator(_whole)
"""For strict integers in a body, where JSON knows numbers only: 3600, 3600.0 and 36e2 are one.

It stands behind the field's bounds: before them, pydantic would not know how to tell them in the API's document.
"""


def request_id(request: Request) -> str:
    """API Gateway's id of the request; its access log has the same."""
    event = request.scope.get("aws.event") or {}
    known = event.get("requestContext", {}).get("requestId") or getattr(request.state, "request_id", None)
    request.state.request_id = known or uuid.uuid4().hex
    return str(request.state.request_id)


async def json_object(
    request: Request,
    media_types: Sequence[str] = (JSON,),
    max_bytes: int = MAX_BODY_BYTES,
    *,
    needed: bool = False,
) -> dict[str, Any]:
    """The body, which must be a JSON object; nothing at all counts as `{}` unless a body is needed.

    Raises UnsupportedType, TooLarge or Invalid.
    """
    if int(request.headers.get("content-length") or 0) > max_bytes:
        raise TooLarge(f"a body has at most {max_bytes} bytes")
    raw = await request.body()
    if len(raw) > max_bytes:
        raise TooLarge(f"a body has at most {max_bytes} bytes")
    if not raw and not needed:
        return {}
    media_type = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if media_type not in media_types:
        raise UnsupportedType(f"send {' or '.join(media_types)}, not {media_type[:100]}", accepted=list(media_types))
    return parsed_object(raw)


def body_of(model: type[_Model], max_bytes: int = MAX_BODY_BYTES) -> Callable[[Request], Coroutine[Any, Any, _Model]]:
    """A dependency that gives the body as `model`; put it after the caller, so that strangers learn nothing."""

    async def read(request: Request) -> _Model:
        return valid(model, await json_object(request, max_bytes=max_bytes))

    return read


def valid(model: type[_Model], given: Any) -> _Model:
    """The value as `model`; raises Invalid with a pointer to each error."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        told = [(item["loc"], complaint(item, model)) for item in error.errors()]
        raise Invalid(
            summary((".".join(map(str, place)), text) for place, text in told),
            [{"detail": text, "pointer": _pointer(place)} for place, text in told],
        ) from error


def parsed_object(raw: bytes) -> dict[str, Any]:
    """JSON as RFC 8259 has it: UTF-8, finite numbers, whole characters; raises Invalid."""
    try:
        value = json.loads(_text(raw), parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded)
        if b"\\u" in raw:
            _require_whole_characters(value)
        _require_shallow(value)
    except RecursionError as error:
        raise _bad_body(f"the body is nested deeper than {_MAX_DEPTH}") from error
    except ValueError as error:
        raise _bad_body(f"the body is not JSON: {str(error)[:200]}") from error
    if not isinstance(value, dict):
        raise _bad_body("the body must be a JSON object")
    return value


def _bad_body(detail: str) -> Invalid:
    return Invalid(detail, [{"detail": detail, "pointer": "#"}])


def _text(raw: bytes) -> str:
    """UTF-8; the byte order mark that some editors and shells put first is not meant."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is out of range")
    return number


def _bounded(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"{text[:40]}… has too many digits") from error


def _require_whole_characters(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("an escape is half of a character") from error


def _require_shallow(value: Any) -> None:
    level = [value]
    for _ in range(_MAX_DEPTH + 1):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise RecursionError


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _pointer(place: Sequence[str | int]) -> str:
    return "#" + "".join(f"/{_escaped(str(step))}" for step in place)


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
