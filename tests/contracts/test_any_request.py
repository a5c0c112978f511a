"""Whatever a client sends: an answer that the document of the HTTP API has, no 5xx, and nothing of another tenant.

`TRAFFIC_COP_EXAMPLES` is how many requests each operation gets (default 10), half of them what the document allows.
"""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from functions import openapi
from tests.contracts.schemas import Json, closed
from tests.support.client import Client
from tests.support.stack import ALICE, BOB, Stack, eventually

EXAMPLES = int(os.environ.get("TRAFFIC_COP_EXAMPLES", "10"))
CHECKS: Any = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
CSV = b"name,age\nAnn,31\nBob,\n"
BIG = 200 << 20
STRANGER = (401, 403, 404, 413, 415, 422)


def tenantless(document: Json) -> Json:
    """The document, closed, without credentials and choice of tenant, which the tests see to themselves."""
    made: Json = closed(document)
    for item in made["paths"].values():
        for operation in item.values():
            del operation["security"]
            operation["parameters"] = [one for one in operation["parameters"] if "$ref" not in one]
    return made


SCHEMA = schemathesis.openapi.from_dict(tenantless(openapi.document()))
FOUND = [one.ok() for one in SCHEMA.get_all_operations() if isinstance(one, Ok)]
OPERATIONS = {f"{one.method.upper()} {one.path}": one for one in FOUND}


@dataclass
class Tenant:
    """A tenant's admin, and things of his that bear a mark."""

    stack: Stack
    email: str
    mark: str = field(default_factory=lambda: f"only-{secrets.token_hex(8)}")
    sockets: list[Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.token = self.stack.token(self.email)
        self.api = self.stack.api(self.token)
        self.sessions = [self.new_session() for _ in range(2)]
        self.sessions.append(self.new_session())
        self._posted(f"/sessions/{self.sessions[-1]}/end")
        self.files = [self.new_file(), self.new_file(size=BIG), self._parsed_file()]
        self.connection = self.new_connection()

    def close(self) -> None:
        self.api.close()
        for socket in self.sockets:
            socket.close()

    def new_connection(self) -> str:
        """Subscribed to all the sessions."""
        socket = Client(self.stack.websocket, self.token)
        self.sockets.append(socket)
        for session in self.sessions:
            socket.call("subscribe", channel=f"session:{session}")
        return socket.id

    def new_session(self) -> str:
        return str(self._posted("/sessions", {"data": {"mark": self.mark}})["id"])

    def new_file(self, size: int = len(CSV)) -> str:
        return str(self._promised(size)["file"]["id"])

    def _promised(self, size: int) -> Json:
        return self._posted("/files", {"name": f"{self.mark}.csv", "content_type": "text/csv", "size": size})

    def _parsed_file(self) -> str:
        promised = self._promised(len(CSV))
        upload, path = promised["upload"], f"/files/{promised['file']['id']}"
        httpx.request(upload["method"], upload["url"], headers=upload["headers"], content=CSV).raise_for_status()
        found = eventually(lambda: self.api.get(f"{path}/parsed"), lambda answer: answer.status_code == 200)
        assert found.status_code == 200, found.text
        return str(promised["file"]["id"])

    def _posted(self, path: str, body: Json | None = None) -> Json:
        answer = self.api.post(path, json=body or {})
        answer.raise_for_status()
        shown: Json = answer.json()
        return shown


@pytest.fixture(scope="module")
def tenants(stack: Stack) -> Iterator[tuple[Tenant, Tenant]]:
    acme, globex = Tenant(stack, ALICE), Tenant(stack, BOB)
    yield acme, globex
    acme.close()
    globex.close()


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def thing(name: str, whose: Tenant, used_up: bool, draw: Callable[[Any], Any]) -> str | None:
    """An id for a path parameter; what the request would use up is made for it."""
    if name == "session_id":
        return whose.new_session() if used_up else str(draw(st.sampled_from(whose.sessions)))
    if name == "file_id":
        return whose.new_file() if used_up else str(draw(st.sampled_from(whose.files)))
    if name == "connection":
        return whose.new_connection() if used_up else whose.connection
    return None


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_answer_is_one_of_the_document_and_shows_nothing_foreign(
    stack: Stack, tenants: tuple[Tenant, Tenant], http: requests.Session, operation: str
) -> None:
    positive, negative = (
        OPERATIONS[operation].as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    )

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=positive | negative, data=st.data())
    def check(case: schemathesis.Case[Any], data: st.DataObject) -> None:
        caller, other = data.draw(st.sampled_from([tenants, tenants[::-1]]), label="tenants")
        whose = data.draw(st.sampled_from([caller, caller, other, None]), label="whose")
        used_up = whose is caller and (case.method == "DELETE" or operation.endswith("/end"))
        known = {name: whose and thing(name, whose, used_up, data.draw) for name in case.path_parameters or {}}
        used = {name: chosen for name, chosen in known.items() if chosen}
        case.path_parameters |= used
        headers = {"authorization": f"Bearer {caller.token}"}
        response = case.call(base_url=stack.http, session=http, headers=headers, allow_redirects=False)
        case.validate_response(response, checks=CHECKS)
        assert other.mark not in response.text
        assert '"error":{"code":100' not in response.text
        if used and whose is other:
            assert response.status_code in STRANGER

    check()


def test_every_operation_is_tried() -> None:
    paths = openapi.document()["paths"]
    assert set(OPERATIONS) == {f"{method.upper()} {path}" for path, item in paths.items() for method in item}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_a_credential_every_operation_is_a_401(stack: Stack, http: requests.Session, operation: str) -> None:
    method, path = operation.split()
    for headers in ({}, {"authorization": "Bearer nonsense"}, {"x-api-key": "tck_acme_nonsense"}):
        response = http.request(method, stack.http + path.replace("{", "").replace("}", ""), headers=headers)
        assert response.status_code == 401
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["www-authenticate"]
        assert json.loads(response.text)["code"] in ("unauthorized", "invalid-token", "invalid-api-key")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_another_tenant_cannot_be_chosen(
    stack: Stack, tenants: tuple[Tenant, Tenant], http: requests.Session, operation: str
) -> None:
    acme, globex = tenants
    method, path = operation.split()
    path = path.format(session_id=globex.sessions[0], file_id=globex.files[0], number=1, connection=globex.connection)
    url, token = stack.http + path, {"authorization": f"Bearer {acme.token}"}
    for headers, query in (({"x-tenant-id": "globex"}, {}), ({}, {"tenant": "globex"})):
        response = http.request(method, url, headers={**token, **headers}, params=query, json={})
        if path.startswith("/api/"):
            assert (response.status_code, response.json()["error"]["code"]) == (200, 103)
        else:
            assert (response.status_code, response.json()["code"]) == (403, "no-tenant")
