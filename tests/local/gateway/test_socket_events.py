"""The events of the WebSocket API have AWS's fields: no more, no fewer, no nulls in their place."""

import re
from typing import Any

import pytest

from tests.local.gateway.harness import StartGateway, accept, echo, ignore

pytestmark = pytest.mark.anyio

_ID = re.compile(r"[A-Za-z0-9_-]{15}=")
_CONTEXT = {
    "routeKey",
    "eventType",
    "extendedRequestId",
    "requestTime",
    "messageDirection",
    "stage",
    "connectedAt",
    "requestTimeEpoch",
    "identity",
    "requestId",
    "domainName",
    "connectionId",
    "apiId",
}


def assert_context(context: dict[str, Any], route_key: str, event_type: str, extra: set[str]) -> None:
    assert set(context) == _CONTEXT | extra
    assert (context["routeKey"], context["eventType"]) == (route_key, event_type)
    assert context["messageDirection"] == "IN"
    assert context["stage"] == "local"
    assert context["requestId"] == context["extendedRequestId"]
    assert _ID.fullmatch(context["requestId"])
    assert _ID.fullmatch(context["connectionId"])
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", context["requestTime"])
    assert 0 <= context["requestTimeEpoch"] - context["connectedAt"] < 60_000


async def test_connect_has_headers_and_no_body(start: StartGateway) -> None:
    running = await start(connect=accept)
    async with running.dial(additional_headers=[("X-Twice", "1"), ("X-Twice", "2")], user_agent_header="me"):
        pass
    (event,) = running.functions.events("connect")
    assert set(event) == {"headers", "multiValueHeaders", "requestContext", "isBase64Encoded"}
    assert_context(event["requestContext"], "$connect", "CONNECT", set())
    assert event["isBase64Encoded"] is False
    assert event["headers"]["X-Twice"] == "2"
    assert event["multiValueHeaders"]["X-Twice"] == ["1", "2"]
    assert {"Host", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "User-Agent"} < set(event["headers"])
    assert {"X-Amzn-Trace-Id", "X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto"} < set(event["headers"])
    assert not {"connection", "upgrade"} & {name.lower() for name in event["headers"]}
    assert set(event["headers"]) == set(event["multiValueHeaders"])


async def test_connect_has_the_query_in_both_spellings(start: StartGateway) -> None:
    running = await start(connect=accept)
    async with running.dial(query="?a=1&a=2&b=x%20y&c="):
        pass
    (event,) = running.functions.events("connect")
    assert event["queryStringParameters"] == {"a": "2", "b": "x y", "c": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": ["x y"], "c": [""]}


async def test_the_identity_has_a_user_agent_only_if_the_client_has_one(start: StartGateway) -> None:
    running = await start(connect=accept)
    for user_agent in ("me", None):
        async with running.dial(user_agent_header=user_agent):
            pass
    named, nameless = (event["requestContext"]["identity"] for event in running.functions.events("connect"))
    assert list(named.items()) == [("userAgent", "me"), ("sourceIp", "127.0.0.1")]
    assert nameless == {"sourceIp": "127.0.0.1"}


async def test_a_message_has_neither_headers_nor_query(start: StartGateway) -> None:
    running = await start(connect=accept, default=echo)
    async with running.dial(query="?a=1") as socket:
        await socket.send('{"a": "ü"}')
        await socket.recv()
    (connected,), (event,) = (running.functions.events(name) for name in ("connect", "default"))
    assert set(event) == {"requestContext", "body", "isBase64Encoded"}
    assert event["body"] == '{"a": "ü"}'
    assert_context(event["requestContext"], "$default", "MESSAGE", {"messageId"})
    for same in ("connectionId", "connectedAt", "identity", "domainName", "apiId"):
        assert event["requestContext"][same] == connected["requestContext"][same]


async def test_a_message_id_ends_as_its_connection_id(start: StartGateway) -> None:
    running = await start(default=echo)
    socket, connection_id = await running.open_socket()
    for _ in range(2):
        await socket.send("x")
        await socket.recv()
    ids = [event["requestContext"]["messageId"] for event in running.functions.events("default")]
    assert len({*ids, connection_id}) == 3
    assert all(_ID.fullmatch(each) and each.endswith(connection_id[-8:]) for each in ids)


async def test_disconnect_has_four_headers_and_says_why(start: StartGateway) -> None:
    running = await start(connect=accept, disconnect=ignore)
    socket, connection_id = await running.open_socket(user_agent_header="me")
    await socket.close(4001, "tab closed")
    (event,) = await running.functions.wait_for("disconnect")
    host = running.functions.events("connect")[0]["headers"]["Host"]
    assert set(event) == {"headers", "multiValueHeaders", "requestContext", "isBase64Encoded"}
    assert event["headers"] == {"Host": host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
    assert event["multiValueHeaders"]["x-api-key"] == [""]
    context = event["requestContext"]
    assert_context(context, "$disconnect", "DISCONNECT", {"disconnectStatusCode", "disconnectReason"})
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (4001, "tab closed")
    assert context["identity"] == {"userAgent": "me", "sourceIp": "127.0.0.1"}
    assert context["connectionId"] == connection_id


async def test_a_close_with_a_code_only_has_an_empty_reason(start: StartGateway) -> None:
    running = await start(disconnect=ignore)
    async with running.dial() as socket:
        await socket.close(1001)
    (event,) = await running.functions.wait_for("disconnect")
    assert event["requestContext"]["disconnectStatusCode"] == 1001
    assert event["requestContext"]["disconnectReason"] == ""


async def test_a_close_without_a_code_is_1005(start: StartGateway) -> None:
    running = await start(disconnect=ignore)
    async with running.dial() as socket:
        socket.transport.write(b"\x88\x80\x00\x00\x00\x00")
        (event,) = await running.functions.wait_for("disconnect")
    assert event["requestContext"]["disconnectStatusCode"] == 1005
    assert event["requestContext"]["disconnectReason"] == "Client-side close frame status not set"


async def test_a_broken_network_is_1006(start: StartGateway) -> None:
    running = await start(disconnect=ignore)
    socket = await running.dial()
    socket.transport.abort()
    (event,) = await running.functions.wait_for("disconnect")
    assert event["requestContext"]["disconnectStatusCode"] == 1006


async def test_the_end_of_a_socket_is_reported_once(start: StartGateway) -> None:
    running = await start(disconnect=ignore)
    first, _ = await running.open_socket()
    second, _ = await running.open_socket()
    await first.close()
    await second.close()
    await running.functions.wait_for("disconnect", 2)
    assert len({e["requestContext"]["connectionId"] for e in running.functions.events("disconnect")}) == 2


async def test_disconnect_events_can_be_lost(start: StartGateway) -> None:
    running = await start(disconnect=ignore)
    running.gateway.faults.disconnect_loss = 1.0
    lost, _ = await running.open_socket()
    await lost.close()
    running.gateway.faults.clear()
    kept, kept_id = await running.open_socket()
    await kept.close()
    (event,) = await running.functions.wait_for("disconnect")
    assert event["requestContext"]["connectionId"] == kept_id


async def test_disconnect_events_can_come_late(start: StartGateway) -> None:
    running = await start(connect=accept, disconnect=ignore)
    running.gateway.faults.disconnect_delay = 3600
    much_later, _ = await running.open_socket()
    await much_later.close()
    running.gateway.faults.disconnect_delay = 0.01
    a_little_later, connection_id = await running.open_socket()
    await a_little_later.close()
    (event,) = await running.functions.wait_for("disconnect")
    assert event["requestContext"]["connectionId"] == connection_id
