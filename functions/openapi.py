"""The HTTP API as one OpenAPI 3.1 document, made of the routes of `session`, `file` and `channel`.

`python -m functions.openapi` writes shared/http/openapi.json. Nothing deployed imports this.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from functions.channel import described as of_channels
from functions.channel.described_api import api_paths, api_request_schemas
from functions.channel.routes import router as channel_routes
from functions.file import described as of_files
from functions.file.routes import router as file_routes
from functions.session import described as of_sessions
from functions.session.routes import router as session_routes
from shared.http import openapi_parts as parts
from shared.http.app import create_app
from shared.http.openapi import Described, body_models, models, operation
from shared.http.openapi_parts import REF, Json

FILE: Final = Path(__file__).parents[1] / "shared" / "http" / "openapi.json"
# One route, which has a path for each method in the document.
API_ROUTE: Final = "/api/{method}"
_ABOUT: Final = """\
Sessions, files and channels of one tenant. The tenant is that of the credential; what is another tenant's answers as
what does not exist. Errors are problem documents (RFC 9457); `/api/*` is Centrifugo's server API, which answers 401
without a good credential and otherwise always 200. The client protocol is in asyncapi.json.

Any request may also be answered by API Gateway itself, as `{"message": "…"}`: 404 for a path that no function has, 413
above 10 MB, 429 above the stage's rate, 503 when a function is throttled or takes more than 29 seconds.
"""


@dataclass(frozen=True)
class _Part:
    tag: str
    about: str
    router: APIRouter
    described: Mapping[str, Described]


PARTS: Final = (
    _Part("sessions", "State that connections share.", session_routes, of_sessions.OPERATIONS),
    _Part("files", "Uploads, their content and what was found in it.", file_routes, of_files.OPERATIONS),
    _Part("connections", "The tenant's open connections.", channel_routes, of_channels.OPERATIONS),
)


def document() -> Json:
    """The whole document, as JSON data."""
    paths = {**_paths(), **api_paths()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Traffic Cop", "version": "1.0.0", "description": _ABOUT, "license": _LICENSE},
        "servers": [
            {"url": "http://127.0.0.1:4000", "description": "`traffic-cop up`"},
            {
                "url": "https://{api}.execute-api.{region}.amazonaws.com",
                "variables": {"api": {"default": "api"}, "region": {"default": "us-east-1"}},
            },
        ],
        "tags": [*({"name": one.tag, "description": one.about} for one in PARTS), _SERVER_API],
        "paths": paths,
        "components": {
            "schemas": {**_schemas(), **api_request_schemas(), "Problem": parts.problem_schema()},
            "responses": parts.problem_responses(paths),
            "headers": parts.HEADERS,
            "parameters": parts.COMMON_PARAMETERS,
            "securitySchemes": parts.SECURITY_SCHEMES,
        },
    }


_LICENSE: Final = {"name": "MIT", "identifier": "MIT"}
_SERVER_API: Final = {"name": "server API", "description": "What an app's backend does with channels."}


def text() -> str:
    """The document as the file has it."""
    return json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def routes() -> Iterator[tuple[_Part, str, APIRoute]]:
    """Every route with its method, but the server API's."""
    for part in PARTS:
        for route in part.router.routes:
            if isinstance(route, APIRoute) and route.path != API_ROUTE:
                yield from ((part, method, route) for method in sorted(route.methods or ()))


def _paths() -> Json:
    known = _resolved(create_app("documented", [part.router for part in PARTS]).openapi())
    paths: dict[str, Json] = {}
    for part, method, route in routes():
        described = part.described[f"{method} {route.path}"]
        parameters = known["paths"][route.path][method.lower()].get("parameters", [])
        item = operation(described, part.tag, route.dependant, parameters)
        paths.setdefault(route.path, {})[method.lower()] = item
    return paths


def _resolved(fastapi: Json) -> Json:
    """FastAPI's document with references (to enumerations of parameters) replaced by what they lead to."""

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            found = fastapi["components"]["schemas"][node["$ref"].rsplit("/", 1)[1]]
            return {name: value for name, value in found.items() if name != "title"}
        return {name: resolve(value) for name, value in node.items()}

    resolved: Json = resolve({"paths": fastapi["paths"]})
    return resolved


def _schemas() -> Json:
    read: set[type[BaseModel]] = {model for _, _, route in routes() for model in body_models(route.dependant)}
    shown = {model for part in PARTS for model in models(list(part.described.values()))}
    shown |= {*of_files.MORE_MODELS, of_channels.ApiError}
    shown |= {method.result for method in of_channels.METHODS.values()}
    _, found = models_json_schema(
        [(model, "validation") for model in _by_name(read)] + [(model, "serialization") for model in _by_name(shown)],
        ref_template=REF.replace("{name}", "{model}"),
    )
    return _renamed(found["$defs"])


def _by_name(kinds: set[type[BaseModel]]) -> list[type[BaseModel]]:
    return sorted(kinds, key=lambda kind: kind.__name__)


def _renamed(schemas: Json) -> Json:
    """Pydantic tells models of one name apart by their modules: `shared__files__model__Status` is `FileStatus`."""
    content = json.dumps(schemas)
    for module, name in (("files", "File"), ("sessions", "Session")):
        content = content.replace(f"shared__{module}__model__Status", f"{name}Status")
    if re.search(r"\w+__\w+__", content):
        raise ValueError("two models have one name")
    renamed: Json = json.loads(content)
    return renamed


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
