"""`@connections` as boto3 and as a plain HTTP client see it."""

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import websockets
from botocore.exceptions import ClientError

from local.gateway import Throttle
from tests.local.gateway.harness import RunningGateway, StartGateway, accept, echo, ignore

pytestmark = pytest.mark.anyio
KIB = 1024
UNKNOWN = "AAAAAAAAAAAAAAA="


async def call(running: RunningGateway, operation: str, connection_id: str, **arguments: Any) -> Any:
    method = getattr(running.management(), operation)
    return await asyncio.to_thread(method, ConnectionId=connection_id, **arguments)


async def error_of(running: RunningGateway, operation: str, connection_id: str, **arguments: Any) -> str:
    with pytest.raises(ClientError) as error:
        await call(running, operation, connection_id, **arguments)
    code: str = error.value.response["Error"]["Code"]
    return code


async def unsigned(running: RunningGateway, method: str, path: str, **options: Any) -> httpx.Response:
    root = running.gateway.connections_url.removesuffix("/local")
    async with httpx.AsyncClient() as client:
        return await client.request(method, root + path, **options)


async def test_post_sends_one_text_frame(start: StartGateway) -> None:
    running = await start()
    socket, connection_id = await running.open_socket()
    response = await call(running, "post_to_connection", connection_id, Data='{"a": "ü"}'.encode())
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert await socket.recv() == '{"a": "ü"}'


@pytest.mark.parametrize("spelling", ["@connections", "%40connections"])
async def test_both_spellings_of_the_path_are_understood(start: StartGateway, spelling: str) -> None:
    running = await start(require_signature=False)
    socket, connection_id = await running.open_socket()
    path = f"/local/{spelling}/{quote(connection_id)}"
    response = await unsigned(running, "POST", path, content=b"hello")
    assert (response.status_code, response.content) == (200, b"")
    assert await socket.recv() == "hello"


async def test_get_describes_the_connection(start: StartGateway) -> None:
    running = await start(default=echo)
    socket, connection_id = await running.open_socket(user_agent_header="me")
    before = await call(running, "get_connection", connection_id)
    await socket.send("x")
    await socket.recv()
    after = await call(running, "get_connection", connection_id)
    assert before["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "me"}
    assert before["ConnectedAt"] == after["ConnectedAt"] <= before["LastActiveAt"] <= after["LastActiveAt"]


async def test_get_spells_times_in_utc_with_milliseconds(start: StartGateway) -> None:
    running = await start(require_signature=False)
    _, connection_id = await running.open_socket()
    description = (await unsigned(running, "GET", f"/local/@connections/{quote(connection_id)}")).json()
    assert set(description) == {"connectedAt", "identity", "lastActiveAt"}
    assert len(description["connectedAt"]) == len("2026-11-23T08:00:00.123Z")
    assert description["connectedAt"].endswith("Z")


async def test_delete_closes_with_1000_and_reports_it(start: StartGateway) -> None:
    running = await start(disconnect=ignore)
    socket, connection_id = await running.open_socket()
    response = await call(running, "delete_connection", connection_id)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(websockets.ConnectionClosedOK):
        await socket.recv()
    assert (socket.close_code, socket.close_reason) == (1000, "Connection Closed Normally")
    (event,) = await running.functions.wait_for("disconnect")
    assert event["requestContext"]["disconnectStatusCode"] == 1000
    assert event["requestContext"]["disconnectReason"] == "Connection Closed Normally"


@pytest.mark.parametrize("operation", ["post_to_connection", "get_connection", "delete_connection"])
async def test_an_unknown_connection_is_gone(start: StartGateway, operation: str) -> None:
    running = await start()
    arguments = {"Data": b"x"} if operation == "post_to_connection" else {}
    with pytest.raises(running.management().exceptions.GoneException):
        await call(running, operation, UNKNOWN, **arguments)


async def test_a_deleted_connection_is_gone_at_once(start: StartGateway) -> None:
    running = await start()
    _, connection_id = await running.open_socket()
    await call(running, "delete_connection", connection_id)
    assert await error_of(running, "post_to_connection", connection_id, Data=b"x") == "GoneException"
    assert await error_of(running, "delete_connection", connection_id) == "GoneException"


async def test_a_connection_is_gone_until_connect_has_returned(start: StartGateway) -> None:
    answers: list[str] = []

    async def connect(event: Any) -> object:
        connection_id = event["requestContext"]["connectionId"]
        answers.append(await error_of(running, "post_to_connection", connection_id, Data=b"x"))
        answers.append(await error_of(running, "get_connection", connection_id))
        return {"statusCode": 200}

    running = await start(connect=connect)
    async with running.dial():
        assert answers == ["GoneException", "GoneException"]


async def test_a_gone_answer_has_its_type_in_a_header_and_no_body(start: StartGateway) -> None:
    running = await start(require_signature=False)
    response = await unsigned(running, "POST", f"/local/@connections/{UNKNOWN}", content=b"x")
    assert (response.status_code, response.content) == (410, b"")
    assert response.headers["x-amzn-ErrorType"] == "GoneException"


async def test_a_malformed_id_is_a_bad_request(start: StartGateway) -> None:
    running = await start()
    assert await error_of(running, "post_to_connection", "nonsense", Data=b"x") == "BadRequestException"


@pytest.mark.parametrize("size", [32 * KIB + 1, 128 * KIB])
async def test_a_message_to_a_client_may_have_128_kib(start: StartGateway, size: int) -> None:
    running = await start()
    socket, connection_id = await running.open_socket()
    await running.post(connection_id, b"x" * size)
    assert await socket.recv() == "x" * size


@pytest.mark.parametrize("size", [128 * KIB + 1, 1024 * KIB])
async def test_a_larger_message_is_refused_and_the_socket_lives(start: StartGateway, size: int) -> None:
    running = await start()
    socket, connection_id = await running.open_socket()
    error = await error_of(running, "post_to_connection", connection_id, Data=b"x" * size)
    assert error == "PayloadTooLargeException"
    await running.post(connection_id, b"next")
    assert await socket.recv() == "next"


async def test_a_message_that_is_no_text_is_a_bad_request(start: StartGateway) -> None:
    running = await start()
    _, connection_id = await running.open_socket()
    assert await error_of(running, "post_to_connection", connection_id, Data=b"\xff") == "BadRequestException"


async def test_a_client_that_does_not_read_makes_429(start: StartGateway) -> None:
    running = await start(require_signature=False, client_buffer=64 * KIB)
    socket, connection_id = await running.open_socket(max_queue=1)
    socket.transport.pause_reading()
    url = f"{running.gateway.connections_url}/@connections/{quote(connection_id)}"
    statuses: list[int] = []
    async with httpx.AsyncClient() as client:
        while 429 not in statuses and len(statuses) < 500:
            response = await client.post(url, content=b"x" * 128 * KIB)
            statuses.append(response.status_code)
    assert set(statuses) == {200, 429}
    assert response.headers["x-amzn-ErrorType"] == "LimitExceededException"
    socket.transport.abort()


async def test_the_account_throttle_counts_management_calls(start: StartGateway) -> None:
    running = await start(connect=accept, account_throttle=Throttle(rate=0.001, burst=2))
    _, connection_id = await running.open_socket()
    await running.post(connection_id, b"x")
    error = await error_of(running, "post_to_connection", connection_id, Data=b"x")
    assert error == "LimitExceededException"


async def test_another_stage_has_no_such_method(start: StartGateway) -> None:
    running = await start()
    response = await unsigned(running, "POST", f"/test0/@connections/{UNKNOWN}", content=b"x")
    assert response.status_code == 403
    assert response.headers["x-amzn-ErrorType"] == "ForbiddenException"
    assert response.json() == {
        "message": f"No method found matching route test0/@connections/{UNKNOWN} for http method POST."
    }


@pytest.mark.parametrize("path", [f"/@connections/{UNKNOWN}", "/", "/local/other", "/local/@connections"])
async def test_a_path_without_stage_or_id_is_forbidden(start: StartGateway, path: str) -> None:
    running = await start()
    response = await unsigned(running, "POST", path, content=b"x")
    assert (response.status_code, response.json()) == (403, {"message": "Forbidden"})


async def test_another_method_is_forbidden(start: StartGateway) -> None:
    running = await start()
    response = await unsigned(running, "PUT", f"/local/@connections/{UNKNOWN}", content=b"x")
    assert response.status_code == 403
    assert response.json()["message"].endswith("for http method PUT.")


async def test_many_posts_share_one_connection_to_the_gateway(start: StartGateway) -> None:
    running = await start(require_signature=False)
    socket, connection_id = await running.open_socket(max_queue=None)
    url = f"{running.gateway.connections_url}/@connections/{quote(connection_id)}"
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1)) as client:
        for n in range(50):
            assert (await client.post(url, content=str(n))).status_code == 200
    assert [await socket.recv() for _ in range(50)] == [str(n) for n in range(50)]
