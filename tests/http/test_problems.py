"""Every error of the catalogue as a problem document, and nothing of what nobody expected."""

import inspect

import pytest

from shared import errors
from shared.errors import TrafficCopError
from tests.functions.http_events import FunctionClient

CATALOGUE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, TrafficCopError)]


@pytest.mark.parametrize("kind", CATALOGUE)
def test_each_row_of_the_catalogue_becomes_a_problem(client: FunctionClient, kind: type[TrafficCopError]) -> None:
    answer = client.get(f"/fail/{kind.__name__}")
    document = answer.json()
    assert answer.status_code == document["status"] == kind.status
    assert answer.headers["content-type"] == "application/problem+json"
    assert document["code"] == kind.code
    assert document["title"] == kind.title
    assert document["detail"] == "this happened"
    assert document["type"] == f"urn:traffic-cop:problem:{kind.code}"
    assert ("retry-after" in answer.headers) == (kind.status in (429, 503))
    assert ("www-authenticate" in answer.headers) == (kind.status == 401)


def test_codes_are_unique_so_that_clients_can_branch_on_them() -> None:
    codes = [kind.code for kind in CATALOGUE if kind not in (TrafficCopError,)]
    assert len(codes) == len(set(codes))


def test_an_unexpected_error_shows_the_request_id_and_nothing_else(client: FunctionClient) -> None:
    answer = client.get("/crash")
    document = answer.json()
    assert answer.status_code == 500
    assert (document["code"], document["detail"]) == ("internal", "Internal error")
    assert "secret" not in answer.text
    assert len(document["instance"]) == 16


def test_the_instance_is_api_gateways_request_id(client: FunctionClient) -> None:
    first, second = (client.get("/nothing").json()["instance"] for _ in range(2))
    assert first != second
    assert len(first) == 16
