"""What functions return, as HTTP API callers get it."""

import asyncio
import base64
from typing import Any

import httpx
import pytest

from local.gateway import InvokeThrottled, InvokeTimeout, Throttle
from tests.local.gateway.harness import Handler, StartGateway, accept, fail

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024
INTERNAL = (500, {"message": "Internal Server Error"})


async def respond(start: StartGateway, handler: Handler, method: str = "GET", **settings: Any) -> httpx.Response:
    running = await start(http=handler, **settings)
    async with httpx.AsyncClient() as client:
        return await client.request(method, running.gateway.http_url + "/x")


async def test_status_headers_and_body_reach_the_caller(start: StartGateway) -> None:
    result = {"statusCode": 201, "headers": {"Location": "/x/1", "X-Count": 3, "X-Yes": True}, "body": "ü"}
    response = await respond(start, lambda event: result)
    assert (response.status_code, response.text) == (201, "ü")
    assert (response.headers["location"], response.headers["x-count"]) == ("/x/1", "3")
    assert response.headers["x-yes"] == "true"
    assert response.headers["content-type"] == "text/plain;charset=UTF-8"
    assert response.headers["content-length"] == "2"
    assert {"date", "apigw-requestid"} < set(response.headers)


async def test_cookies_become_one_header_each(start: StartGateway) -> None:
    response = await respond(start, lambda event: {"statusCode": 200, "cookies": ["a=1; Path=/", "b=2"]})
    assert response.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2"]


async def test_a_base64_body_is_decoded(start: StartGateway) -> None:
    result = {"statusCode": 200, "body": base64.b64encode(b"\x00\xff").decode(), "isBase64Encoded": True}
    assert (await respond(start, lambda event: result)).content == b"\x00\xff"


@pytest.mark.parametrize(("result", "body"), [({"a": 1}, '{"a": 1}'), ("hello", "hello"), ([1], "[1]"), (None, "null")])
async def test_a_result_without_a_status_is_the_body(start: StartGateway, result: object, body: str) -> None:
    response = await respond(start, lambda event: result)
    assert (response.status_code, response.text) == (200, body)
    assert response.headers["content-type"] == "application/json"


async def test_no_content_has_no_body_and_no_length(start: StartGateway) -> None:
    response = await respond(start, lambda event: {"statusCode": 204})
    assert (response.status_code, response.content) == (204, b"")
    assert "content-length" not in response.headers


async def test_a_head_request_gets_no_body(start: StartGateway) -> None:
    response = await respond(start, lambda event: {"statusCode": 200, "body": "four"}, "HEAD")
    assert (response.headers["content-length"], response.content) == ("4", b"")


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "many"},
        {"statusCode": 42},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "headers": ["x"]},
        {"statusCode": 200, "headers": {"x": "a\r\nset-cookie: b=c"}},
        {"statusCode": 200, "headers": {"x: y\r\nz": "a"}},
        {"statusCode": 200, "headers": {"x": ["a"]}},
        {"statusCode": 200, "cookies": ["a=b\r\nx: y"]},
        {"statusCode": 200, "body": "%", "isBase64Encoded": True},
    ],
)
async def test_a_malformed_result_is_an_internal_server_error(start: StartGateway, result: object) -> None:
    response = await respond(start, lambda event: result)
    assert (response.status_code, response.json()) == INTERNAL


async def test_a_raising_function_is_an_internal_server_error(start: StartGateway) -> None:
    response = await respond(start, fail)
    assert (response.status_code, response.json()) == INTERNAL


@pytest.mark.parametrize(
    ("error", "status"), [(InvokeTimeout(), 500), (LookupError("no function"), 500), (InvokeThrottled(), 503)]
)
async def test_a_function_that_cannot_answer(start: StartGateway, error: Exception, status: int) -> None:
    def handler(event: Any) -> object:
        raise error

    assert (await respond(start, handler)).status_code == status


async def test_a_function_slower_than_the_integration_timeout_is_unavailable(start: StartGateway) -> None:
    response = await respond(start, lambda event: asyncio.Event().wait(), http_timeout=0.05)
    assert (response.status_code, response.json()) == (503, {"message": "Service Unavailable"})


async def test_a_result_above_six_mib_is_an_internal_server_error(start: StartGateway) -> None:
    response = await respond(start, lambda event: {"statusCode": 200, "body": "x" * 6 * MIB})
    assert (response.status_code, response.json()) == INTERNAL


@pytest.mark.parametrize("size", [6 * MIB, 10 * MIB + 1])
async def test_a_request_above_the_payload_limits_is_refused(start: StartGateway, size: int) -> None:
    running = await start(http=accept)
    async with httpx.AsyncClient(timeout=30) as client:
        response = await client.post(running.gateway.http_url + "/x", content=b"x" * size)
    assert (response.status_code, response.json()) == (413, {"message": "Request Entity Too Large"})
    assert running.functions.events("http") == []


async def test_headers_may_have_ten_kilobytes_and_no_more(start: StartGateway) -> None:
    running = await start(http=accept)
    async with httpx.AsyncClient() as client:
        statuses = [
            (await client.get(running.gateway.http_url + "/x", headers={"X-Large": "x" * size})).status_code
            for size in (9_900, 10_240)
        ]
    assert statuses == [200, 431]


async def test_a_route_can_be_throttled(start: StartGateway) -> None:
    throttles = {"ANY /{proxy+}": Throttle(rate=0.001, burst=1)}
    running = await start(http=accept, http_throttles=throttles)
    async with httpx.AsyncClient() as client:
        responses = [await client.get(running.gateway.http_url + "/x") for _ in range(2)]
    assert [response.status_code for response in responses] == [200, 429]
    assert responses[1].json() == {"message": "Too Many Requests"}


async def test_the_account_throttle_is_shared_with_sockets(start: StartGateway) -> None:
    running = await start(http=accept, connect=accept, account_throttle=Throttle(rate=0.001, burst=2))
    async with running.dial(), httpx.AsyncClient() as client:
        statuses = [(await client.get(running.gateway.http_url + "/x")).status_code for _ in range(2)]
    assert statuses == [200, 429]
