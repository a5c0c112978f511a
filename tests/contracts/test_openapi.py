"""The document of the HTTP API is fresh, valid, complete, and its examples are what it says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from functions import openapi
from functions.channel.described import METHODS
from local.packaging.imports import trace
from shared.http.app import create_app
from shared.realtime.server_api import ServerApi
from tests.contracts.schemas import closed

ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads(openapi.FILE.read_text(encoding="utf-8"))
CLOSED = closed(DOCUMENT["components"])
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]


def test_the_committed_document_is_what_the_routes_say() -> None:
    assert openapi.FILE.read_text(encoding="utf-8") == openapi.text(), "run python -m functions.openapi"


def test_the_document_is_valid_openapi() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


# Of JSON Schema (2020-12) what may stand in a schema; a validator does not mind what it does not know.
KEYWORDS = {
    *("$ref", "additionalProperties", "anyOf", "const", "default", "description", "enum", "example", "examples"),
    *("exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems", "maxLength", "maxProperties", "maximum"),
    *("minItems", "minLength", "minProperties", "minimum", "oneOf", "pattern", "properties", "propertyNames"),
    *("required", "title", "type"),
}


def schemas(node: Any) -> Iterator[dict[str, Any]]:
    """A schema and all within it."""
    yield node
    for inner in node.get("properties", {}).values():
        yield from schemas(inner)
    for word in ("items", "additionalProperties", "propertyNames"):
        if isinstance(node.get(word), dict):
            yield from schemas(node[word])
    for word in ("anyOf", "oneOf"):
        for inner in node.get(word, ()):
            yield from schemas(inner)


def test_schemas_say_everything_in_words_of_json_schema() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        unknown = {word for one in schemas(schema) for word in one} - KEYWORDS
        assert unknown == set(), name


def test_nothing_is_described_that_is_no_route() -> None:
    described = {name for part in openapi.PARTS for name in part.described}
    assert described == {f"{method} {route.path}" for _, method, route in openapi.routes()}


def test_every_http_function_is_in_the_document() -> None:
    folders = {path.parent.name for path in ROOT.glob("functions/*/routes.py")}
    described = {path.parent.name for path in ROOT.glob("functions/*/described.py")}
    assert described == folders
    assert len(openapi.PARTS) == len(folders)


def test_no_deployed_function_brings_a_document_or_what_makes_it() -> None:
    made = {"described.py", "described_api.py", "openapi.py", "openapi_parts.py", "openapi.json"}
    made |= {"asyncapi.py", "asyncapi_examples.py", "asyncapi.json", "replies.py"}
    for handler in ROOT.glob("functions/*/handler.py"):
        files = trace(ROOT, f"functions.{handler.parent.name}.handler").files
        assert {file.name for file in files} & made == set()


def test_no_app_serves_its_document() -> None:
    app = create_app("served", [part.router for part in openapi.PARTS])
    assert app.openapi_url is None


def test_every_method_of_the_server_api_has_its_path() -> None:
    api = ServerApi(None, None, None, None)  # type: ignore[arg-type]
    assert set(METHODS) == set(api._methods)
    assert {f"/api/{method}" for method in (*METHODS, "batch")} <= set(DOCUMENT["paths"])


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids)


def test_every_part_of_the_components_is_used() -> None:
    text = json.dumps(DOCUMENT)
    kinds = ("schemas", "responses", "parameters", "headers")
    names = [f"#/components/{kind}/{name}" for kind in kinds for name in DOCUMENT["components"][kind]]
    assert [name for name in names if f'"{name}"' not in text] == []


def resolved(node: Any) -> Any:
    """What a reference leads to."""
    if "$ref" not in node:
        return node
    found = DOCUMENT
    for step in node["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def examples(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Where an example stands, its schema, and the example."""
    for parameter in map(resolved, operation["parameters"]):
        yield parameter["name"], parameter["schema"], parameter["example"]
    bodies = {"request": operation.get("requestBody", {})}
    bodies |= {status: resolved(response) for status, response in operation["responses"].items()}
    for where, body in bodies.items():
        for name, header in body.get("headers", {}).items():
            yield f"{where} {name}", resolved(header)["schema"], resolved(header)["example"]
        for content in body.get("content", {}).values():
            shown = content["examples"].values() if "examples" in content else [{"value": content["example"]}]
            yield from ((where, content["schema"], one["value"]) for one in shown)


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_every_example_is_what_its_schema_says(name: str, operation: dict[str, Any]) -> None:
    for where, schema, example in examples(operation):
        validator = Draft202012Validator({**closed(schema), "components": CLOSED})
        assert [f"{where}: {error.message}" for error in validator.iter_errors(example)] == []


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_every_operation_names_its_credentials_and_its_problems(name: str, operation: dict[str, Any]) -> None:
    assert operation["security"] == [{"bearer": []}, {"apiKey": []}]
    problems = {status: resolved(one) for status, one in operation["responses"].items() if int(status) >= 400}
    assert "401" in problems
    for status, response in problems.items():
        assert list(response["content"]) == ["application/problem+json"]
        shown = response["content"]["application/problem+json"]["examples"].values()
        assert {one["value"]["status"] for one in shown} == {int(status)}
