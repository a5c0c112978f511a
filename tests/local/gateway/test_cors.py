"""CORS is the gateway's business alone once it is configured."""

from typing import Any

import httpx
import pytest

from local.gateway import Cors
from tests.local.gateway.harness import RunningGateway, StartGateway, accept

pytestmark = pytest.mark.anyio

ORIGIN = "https://app.test"
CORS = Cors(
    allow_origins=[ORIGIN, "http://*"],
    allow_methods=["GET", "PATCH"],
    allow_headers=["authorization", "if-match"],
    expose_headers=["ETag", "Location"],
    max_age=600,
)
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH"}


async def ask(running: RunningGateway, method: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Status and CORS headers."""
    async with httpx.AsyncClient() as client:
        response = await client.request(method, running.gateway.http_url + "/x", headers=headers)
    cors = {name: value for name, value in response.headers.items() if name.startswith("access-control-")}
    return response.status_code, cors


def with_own_cors(event: Any) -> dict[str, object]:
    return {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*", "ACCESS-CONTROL-Max-Age": "1"}}


async def test_a_preflight_is_answered_without_the_function(start: StartGateway) -> None:
    running = await start(http=accept, cors=CORS)
    assert await ask(running, "OPTIONS", PREFLIGHT) == (
        204,
        {
            "access-control-allow-origin": ORIGIN,
            "access-control-allow-methods": "GET,PATCH",
            "access-control-allow-headers": "authorization,if-match",
            "access-control-max-age": "600",
        },
    )
    assert running.functions.events("http") == []


async def test_a_stranger_preflight_gets_no_permission(start: StartGateway) -> None:
    running = await start(http=accept, cors=CORS)
    stranger = {**PREFLIGHT, "Origin": "https://evil.test"}
    assert await ask(running, "OPTIONS", stranger) == (204, {})


async def test_an_answer_carries_the_gateway_headers_instead_of_the_function_ones(start: StartGateway) -> None:
    running = await start(http=with_own_cors, cors=CORS)
    assert await ask(running, "GET", {"Origin": ORIGIN}) == (
        200,
        {"access-control-allow-origin": ORIGIN, "access-control-expose-headers": "ETag,Location"},
    )


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.test"}])
async def test_without_an_allowed_origin_there_are_no_cors_headers(
    start: StartGateway, headers: dict[str, str]
) -> None:
    running = await start(http=with_own_cors, cors=CORS)
    assert await ask(running, "GET", headers) == (200, {})


async def test_a_scheme_can_be_allowed_whole(start: StartGateway) -> None:
    running = await start(http=accept, cors=CORS)
    _, headers = await ask(running, "GET", {"Origin": "http://localhost:5173"})
    assert headers["access-control-allow-origin"] == "http://localhost:5173"


async def test_any_origin_is_answered_with_a_star(start: StartGateway) -> None:
    running = await start(http=accept, cors=Cors(allow_origins=["*"]))
    assert await ask(running, "GET", {"Origin": ORIGIN}) == (200, {"access-control-allow-origin": "*"})


async def test_credentials_are_allowed_when_configured(start: StartGateway) -> None:
    running = await start(http=accept, cors=Cors(allow_origins=[ORIGIN], allow_credentials=True))
    _, headers = await ask(running, "GET", {"Origin": ORIGIN})
    assert headers["access-control-allow-credentials"] == "true"


async def test_errors_of_the_gateway_can_be_read_by_browsers(start: StartGateway) -> None:
    running = await start(http=accept, http_routes=[], cors=CORS)
    status, headers = await ask(running, "GET", {"Origin": ORIGIN})
    assert (status, headers["access-control-allow-origin"]) == (404, ORIGIN)


async def test_options_without_a_requested_method_is_an_ordinary_request(start: StartGateway) -> None:
    running = await start(http=accept, cors=CORS)
    await ask(running, "OPTIONS", {"Origin": ORIGIN})
    assert len(running.functions.events("http")) == 1


async def test_unconfigured_cors_leaves_everything_to_the_function(start: StartGateway) -> None:
    running = await start(http=with_own_cors)
    assert await ask(running, "OPTIONS", PREFLIGHT) == (
        200,
        {"access-control-allow-origin": "*", "access-control-max-age": "1"},
    )
