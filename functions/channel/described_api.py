"""The server API's methods as operations of the HTTP API's document: one route, a path for each method."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from functions.channel.described import METHODS, ApiError, Method
from shared.errors import Internal
from shared.http.openapi import BAD_CREDENTIAL, Answer, responses, schema_of
from shared.http.openapi_parts import COMMON_PARAMETERS, SECURITY_SCHEMES, Json
from shared.http.requests import JSON
from shared.realtime import api_requests as ask
from shared.realtime.whole import described_whole

_REF: Final = "#/components/schemas/Api{name}Request"
_ERROR: Final = {"error": {"code": 107, "message": "a channel is needed"}}
_PUBLISH: Final = METHODS["publish"]


def api_paths() -> Json:
    """Path items by path."""
    paths = {f"/api/{name}": {"post": _operation(name, method)} for name, method in METHODS.items()}
    return {**paths, "/api/batch": {"post": _batch()}}


def api_request_schemas() -> Json:
    """The schemas of requests by name."""
    kinds = {method.request for method in METHODS.values() if method.request is not None} | {ask.Batch}
    models = sorted(kinds, key=lambda kind: kind.__name__)
    _, found = msgspec.json.schema_components(models, schema_hook=described_whole, ref_template=_REF)
    return {f"Api{name}Request": schema for name, schema in found.items()}


def _operation(name: str, method: Method) -> Json:
    schema = {"type": "object"} if method.request is None else _request(method.request)
    answered = _one_member({"result": schema_of(method.result), "error": schema_of(ApiError)})
    examples: Json = {"result": {"value": {"result": method.told}}, "error": {"value": _ERROR}}
    words = "".join(word.title() for word in name.split("_"))
    return _posted(f"api{words}", method.about, schema, method.example, answered, examples)


def _batch() -> Json:
    members = {"error": schema_of(ApiError), **{name: schema_of(method.result) for name, method in METHODS.items()}}
    replies: Json = {"type": "array", "items": _one_member(members)}
    answered = _one_member({"replies": replies, "error": schema_of(ApiError)})
    told = {"replies": [{"publish": _PUBLISH.told}, _ERROR]}
    commands = [{"publish": _PUBLISH.example}, {"presence_stats": {}}]
    examples: Json = {"replies": {"value": told}, "error": {"value": _ERROR}}
    about = "Several methods, one after the other"
    return _posted("apiBatch", about, _request(ask.Batch), {"commands": commands}, answered, examples)


def _posted(id_: str, about: str, schema: Json, example: Any, answered: Json, examples: Mapping[str, Json]) -> Json:
    found = responses({200: Answer(about="The result, or why there is none.")}, [*BAD_CREDENTIAL, Internal])
    found["200"]["content"] = {JSON: {"schema": answered, "examples": examples}}
    return {
        "operationId": id_,
        "summary": about,
        "tags": ["server API"],
        "security": [{name: []} for name in SECURITY_SCHEMES],
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in COMMON_PARAMETERS],
        "requestBody": {"required": False, "content": {JSON: {"schema": schema, "example": example}}},
        "responses": found,
    }


def _request(kind: type[msgspec.Struct]) -> Json:
    return {"$ref": _REF.format(name=kind.__name__)}


def _one_member(members: Json) -> Json:
    return {"type": "object", "properties": members, "minProperties": 1, "maxProperties": 1}
