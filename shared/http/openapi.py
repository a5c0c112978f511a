"""Makes operations of the OpenAPI document out of routes and of what is said of them.

Routes answer ready-made responses, so that what they answer is described beside them (functions/*/described.py). What
follows from a route's parameters and dependencies is read there. Nothing deployed imports this.
"""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi.dependencies.models import Dependant
from pydantic import BaseModel, ValidationError

from shared import errors
from shared.errors import TrafficCopError
from shared.http.dependencies import identify
from shared.http.openapi_parts import COMMON_PARAMETERS, PARAMETERS, REF, SECURITY_SCHEMES, Json, problem_reference
from shared.http.requests import JSON, MERGE_PATCH, body_of

Problems = Sequence[type[TrafficCopError]]
# Any route may meet these.
_ALWAYS: Final[Problems] = (errors.Internal, errors.Unavailable)
BAD_CREDENTIAL: Final[Problems] = (
    errors.Unauthorized,
    errors.InvalidToken,
    errors.TokenExpired,
    errors.InvalidApiKey,
)
_STRANGER: Final[Problems] = (*BAD_CREDENTIAL, errors.NoTenant, errors.PermissionDenied)
_BAD_BODY: Final[Problems] = (errors.Invalid, errors.TooLarge, errors.UnsupportedType)
_BY_HEADER: Final[Mapping[str, Problems]] = {
    "If-Match": (errors.PreconditionFailed,),
    "Idempotency-Key": (errors.Invalid, errors.IdempotencyInFlight, errors.IdempotencyMismatch),
}
_IGNORED: Final = frozenset(("accept",))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a route answers with one status; `headers` are names of openapi_parts.HEADERS."""

    about: str
    model: type[BaseModel] | Json | None = None
    example: Any = None
    headers: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Described:
    """What an operation is for, and its answers; problems that follow from its dependencies need not be named.

    `body` is an example of the body.
    """

    id: str
    about: str
    answers: Mapping[int, Answer]
    problems: Problems = ()
    body: Any = None
    examples: Mapping[str, Any] = field(default_factory=dict)


def operation(described: Described, tag: str, dependant: Dependant, parameters: Sequence[Json]) -> Json:
    """The operation of a route; `parameters` are as FastAPI describes them."""
    calls = list(_calls(dependant))
    shown = [_parameter(one, described.examples) for one in parameters if one["name"] not in _IGNORED]
    return {
        "operationId": described.id,
        "summary": described.about,
        "tags": [tag],
        "security": [{name: []} for name in SECURITY_SCHEMES],
        "parameters": [*shown, *({"$ref": f"#/components/parameters/{name}"} for name in COMMON_PARAMETERS)],
        **_body(calls, described),
        "responses": responses(described.answers, [*described.problems, *_implied(calls, shown), *_ALWAYS]),
    }


def responses(answers: Mapping[int, Answer], problems: Problems) -> Json:
    """Answers and problems by status."""
    by_status: dict[int, set[type[TrafficCopError]]] = defaultdict(set)
    for kind in problems:
        by_status[kind.status].add(kind)
    found = {str(status): _response(answer) for status, answer in answers.items()}
    for status, kinds in sorted(by_status.items()):
        found[str(status)] = {"$ref": problem_reference(status, (kind.code for kind in kinds))}
    return found


def schema_of(model: type[BaseModel] | Json) -> Json:
    """A reference to a model's schema, or the schema itself."""
    return model if isinstance(model, dict) else {"$ref": REF.format(name=model.__name__)}


def models(operations: Sequence[Described]) -> set[type[BaseModel]]:
    """The models of answers."""
    found = (answer.model for one in operations for answer in one.answers.values())
    return {model for model in found if isinstance(model, type)}


def body_models(dependant: Dependant) -> set[type[BaseModel]]:
    """The models that read the route's body."""
    return {model for call in _calls(dependant) if (model := _body_model(call)) is not None}


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for one in dependant.dependencies:
        if one.call is not None:
            yield one.call
        yield from _calls(one)


def _body_model(call: Callable[..., Any]) -> type[BaseModel] | None:
    if getattr(call, "__qualname__", "") != f"{body_of.__name__}.<locals>.read":
        return None
    model: type[BaseModel] = inspect.getclosurevars(call).nonlocals["model"]
    return model


def _reads_patch(call: Callable[..., Any]) -> bool:
    return getattr(call, "__name__", "") == "merge_patch"


def _implied(calls: Sequence[Callable[..., Any]], parameters: Sequence[Json]) -> Iterator[type[TrafficCopError]]:
    if identify in calls:
        yield from _STRANGER
    if any(_body_model(call) or _reads_patch(call) for call in calls):
        yield from _BAD_BODY
    for parameter in parameters:
        yield from _BY_HEADER.get(parameter["name"], ())
        constrained = parameter["schema"].keys() - {"type", "title", "default"}
        if parameter["in"] != "header" and (constrained or parameter["name"] == "cursor"):
            yield errors.Invalid


def _parameter(given: Json, examples: Mapping[str, Any]) -> Json:
    """FastAPI's parameter without null, which no header or query can be, and with what we know of it."""
    name, schema = given["name"], dict(given["schema"])
    if "anyOf" in schema:
        (schema,) = (one for one in schema.pop("anyOf") if one != {"type": "null"})
    schema.pop("title", None)
    known = dict(PARAMETERS[name])
    if name in examples:
        known["example"] = examples[name]
    return {"name": name, "in": given["in"], "required": given["required"], "schema": schema, **known}


def _body(calls: Sequence[Callable[..., Any]], described: Described) -> Json:
    model = next((found for call in calls if (found := _body_model(call))), None)
    if model is not None:
        content = {JSON: {"schema": schema_of(model), "example": described.body}}
        return {"requestBody": {"required": not _takes_nothing(model), "content": content}}
    if any(_reads_patch(call) for call in calls):
        patch = {"schema": {"type": "object"}, "example": described.body}
        return {"requestBody": {"required": True, "content": {MERGE_PATCH: patch, JSON: patch}}}
    return {}


def _takes_nothing(model: type[BaseModel]) -> bool:
    try:
        model.model_validate({})
    except ValidationError:
        return False
    return True


def _response(answer: Answer) -> Json:
    response: Json = {"description": answer.about}
    if answer.headers:
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in answer.headers}
    if answer.model is not None:
        response["content"] = {JSON: {"schema": schema_of(answer.model), "example": answer.example}}
    return response
