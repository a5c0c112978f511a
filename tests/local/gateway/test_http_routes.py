"""Which HTTP API route gets a request."""

import httpx
import pytest

from local.gateway import HttpRoute
from local.gateway.http_routes import HttpRoutes
from tests.local.gateway.harness import StartGateway, accept

ROUTES = HttpRoutes(
    [
        HttpRoute("ANY", "/{proxy+}", "everything"),
        HttpRoute("ANY", "/files", "files"),
        HttpRoute("ANY", "/files/{proxy+}", "below files"),
        HttpRoute("GET", "/files/{id}", "one file"),
        HttpRoute("ANY", "/files/{id}", "any one file"),
        HttpRoute("GET", "/files/special", "special"),
        HttpRoute("GET", "/files/{id}/content", "content"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "function", "parameters"),
    [
        ("GET", "/files", "files", {}),
        ("GET", "/files/special", "special", {}),
        ("POST", "/files/special", "any one file", {"id": "special"}),
        ("GET", "/files/7", "one file", {"id": "7"}),
        ("DELETE", "/files/7", "any one file", {"id": "7"}),
        ("GET", "/files/7/content", "content", {"id": "7"}),
        ("PUT", "/files/7/content", "below files", {"proxy": "7/content"}),
        ("GET", "/files/7/a/b", "below files", {"proxy": "7/a/b"}),
        ("GET", "/other", "everything", {"proxy": "other"}),
        ("GET", "/filesystem", "everything", {"proxy": "filesystem"}),
    ],
)
def test_the_most_specific_route_wins(method: str, path: str, function: str, parameters: dict[str, str]) -> None:
    match = ROUTES.find(method, path)
    assert match is not None
    assert (match.route.function, match.path_parameters) == (function, parameters)


def test_a_greedy_variable_needs_something_to_match() -> None:
    routes = HttpRoutes([HttpRoute("ANY", "/files/{proxy+}", "f")])
    assert routes.find("GET", "/files") is None
    assert routes.find("GET", "/files/") is None


def test_a_variable_needs_something_to_match() -> None:
    assert HttpRoutes([HttpRoute("GET", "/files/{id}", "f")]).find("GET", "/files/") is None


def test_the_default_route_takes_what_is_left() -> None:
    routes = HttpRoutes([HttpRoute("ANY", "$default", "rest"), HttpRoute("GET", "/a", "a")])
    for method, path, function in [("GET", "/a", "a"), ("POST", "/a", "rest"), ("GET", "/", "rest")]:
        match = routes.find(method, path)
        assert match is not None
        assert match.route.function == function


@pytest.mark.anyio
async def test_a_request_without_a_route_is_not_found(start: StartGateway) -> None:
    running = await start(http=accept, http_routes=[HttpRoute("GET", "/a", "http")])
    async with httpx.AsyncClient() as client:
        for method, path in [("GET", "/b"), ("POST", "/a"), ("GET", "/a/")]:
            response = await client.request(method, running.gateway.http_url + path)
            assert (response.status_code, response.text) == (404, '{"message":"Not Found"}')
