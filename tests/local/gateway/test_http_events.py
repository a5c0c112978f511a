"""HTTP API requests arrive as events of payload format 2.0."""

import base64
import re
from typing import Any

import httpx
import pytest

from local.gateway import HttpRoute
from tests.local.gateway.harness import StartGateway, accept

pytestmark = pytest.mark.anyio


class Caller:
    """Sends requests and looks at the events they became."""

    def __init__(self, start: StartGateway) -> None:
        self._start = start

    async def event_of(self, method: str, target: str, **options: Any) -> dict[str, Any]:
        routes = [HttpRoute("ANY", "/files", "http"), HttpRoute("ANY", "/files/{id}/{proxy+}", "http")]
        running = await self._start(http=accept, http_routes=[*routes, HttpRoute("ANY", "/{proxy+}", "http")])
        async with httpx.AsyncClient() as client:
            await client.request(method, running.gateway.http_url + target, **options)
        (event,) = running.functions.events("http")
        return dict(event)


@pytest.fixture
def caller(start: StartGateway) -> Caller:
    return Caller(start)


async def test_a_get_has_no_empty_fields(caller: Caller) -> None:
    event = await caller.event_of("GET", "/files", headers={"User-Agent": "me"})
    assert set(event) == {
        "version",
        "routeKey",
        "rawPath",
        "rawQueryString",
        "headers",
        "requestContext",
        "isBase64Encoded",
    }
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "ANY /files", "/files")
    assert (event["rawQueryString"], event["isBase64Encoded"]) == ("", False)


async def test_the_context_says_who_asked_for_what(caller: Caller) -> None:
    event = await caller.event_of("GET", "/files", headers={"User-Agent": "me"})
    context = event["requestContext"]
    assert set(context) == {
        "accountId",
        "apiId",
        "domainName",
        "domainPrefix",
        "http",
        "requestId",
        "routeKey",
        "stage",
        "time",
        "timeEpoch",
    }
    assert context["http"] == {
        "method": "GET",
        "path": "/files",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "me",
    }
    assert (context["stage"], context["routeKey"]) == ("$default", "ANY /files")
    assert re.fullmatch(r"[\w-]{15}=", context["requestId"])
    assert context["domainName"] == event["headers"]["host"]


async def test_header_names_are_lower_case_and_duplicates_are_joined(caller: Caller) -> None:
    event = await caller.event_of("GET", "/files", headers=[("X-Twice", "1"), ("x-twice", "2")])
    assert event["headers"]["x-twice"] == "1,2"
    assert event["headers"]["content-length"] == "0"
    assert {"x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"} < set(event["headers"])
    assert "connection" not in event["headers"]


async def test_a_forwarded_address_is_kept_in_front(caller: Caller) -> None:
    event = await caller.event_of("GET", "/files", headers={"X-Forwarded-For": "1.2.3.4"})
    assert event["headers"]["x-forwarded-for"] == "1.2.3.4, 127.0.0.1"
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"


async def test_cookies_are_a_list_and_no_header(caller: Caller) -> None:
    event = await caller.event_of("GET", "/files", headers={"Cookie": "a=1; b=2"})
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]


async def test_the_query_is_given_raw_and_joined(caller: Caller) -> None:
    event = await caller.event_of("GET", "/files?a=1&a=2&b=x%20y&c=&d=p%2Bq")
    assert event["rawQueryString"] == "a=1&a=2&b=x%20y&c=&d=p%2Bq"
    assert event["queryStringParameters"] == {"a": "1,2", "b": "x y", "c": "", "d": "p+q"}


async def test_path_parameters_and_path_are_decoded(caller: Caller) -> None:
    event = await caller.event_of("GET", "/files/a%20b/c/d%C3%BC")
    assert event["pathParameters"] == {"id": "a b", "proxy": "c/dü"}
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/files/a b/c/dü"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain; charset=utf-8", "application/merge-patch+json", "application/xml"],
)
async def test_a_text_body_is_text(caller: Caller, content_type: str) -> None:
    body = '{"a": "ü"}'
    event = await caller.event_of("POST", "/files", content=body, headers={"Content-Type": content_type})
    assert (event["body"], event["isBase64Encoded"]) == (body, False)
    assert event["headers"]["content-length"] == str(len(body.encode()))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\x89PNG\r\n", {"Content-Type": "image/png"}),
        (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"\xff", {"Content-Type": "application/json"}),
        (b"text", {"Content-Type": "text/plain", "Content-Encoding": "gzip"}),
    ],
)
async def test_any_other_body_is_base64(caller: Caller, body: bytes, headers: dict[str, str]) -> None:
    event = await caller.event_of("POST", "/files", content=body, headers=headers)
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == body


async def test_a_chunked_body_arrives_whole(caller: Caller) -> None:
    async def chunks() -> Any:
        for part in (b'{"a": ', b"1}"):
            yield part

    event = await caller.event_of("POST", "/files", content=chunks(), headers={"Content-Type": "application/json"})
    assert event["body"] == '{"a": 1}'
    assert event["headers"]["content-length"] == "8"
    assert "transfer-encoding" not in event["headers"]
