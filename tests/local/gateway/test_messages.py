"""Messages: which function gets them, what comes back, and that nothing keeps their order."""

import asyncio
import re
from typing import Any

import pytest

from local.gateway import InvokeThrottled, Throttle
from tests.local.gateway.harness import StartGateway, echo, fail, ignore

pytestmark = pytest.mark.anyio


def error_frame(message: str, connection_id: str) -> re.Pattern[str]:
    """The spacing is AWS's own."""
    return re.compile(rf'\{{"message": "{message}", "connectionId":"{connection_id}", "requestId":"[\w-]{{15}}="\}}')


async def test_the_action_chooses_the_route(start: StartGateway) -> None:
    running = await start(chat=lambda event: {"body": "chat"}, default=lambda event: {"body": "default"})
    async with running.dial() as socket:
        for text, answer in [
            ('{"action": "chat"}', "chat"),
            ('{"action": "other"}', "default"),
            ('{"action": "$connect"}', "default"),
            ("no json", "default"),
            ("[1]", "default"),
        ]:
            await socket.send(text)
            assert await socket.recv() == answer
    assert running.functions.events("chat")[0]["requestContext"]["routeKey"] == "chat"
    assert {e["requestContext"]["routeKey"] for e in running.functions.events("default")} == {"$default"}


async def test_an_expression_may_join_several_fields(start: StartGateway) -> None:
    handlers = {"a/1": lambda event: {"body": "hit"}}
    expression = "${request.body.x.y}/${request.body.n}"
    running = await start(**handlers, default=echo, route_selection_expression=expression)
    async with running.dial() as socket:
        await socket.send('{"x": {"y": "a"}, "n": 1}')
        assert await socket.recv() == "hit"


async def test_no_route_and_no_default_is_forbidden_and_leaves_the_socket_open(start: StartGateway) -> None:
    running = await start(chat=echo)
    socket, connection_id = await running.open_socket()
    await socket.send("hello")
    assert error_frame("Forbidden", connection_id).fullmatch(str(await socket.recv()))
    await socket.send('{"action": "chat"}')
    assert await socket.recv() == '{"action": "chat"}'


@pytest.mark.parametrize("two_way", [True, False])
async def test_a_raising_function_is_an_internal_server_error(start: StartGateway, two_way: bool) -> None:
    running = await start(default=fail, two_way=two_way)
    socket, connection_id = await running.open_socket()
    await socket.send("x")
    assert error_frame("Internal server error", connection_id).fullmatch(str(await socket.recv()))


async def test_a_throttled_function_is_an_internal_server_error(start: StartGateway) -> None:
    def default(event: Any) -> object:
        raise InvokeThrottled

    running = await start(default=default)
    socket, connection_id = await running.open_socket()
    await socket.send("x")
    assert error_frame("Internal server error", connection_id).fullmatch(str(await socket.recv()))


async def test_a_function_that_outlives_the_integration_timeout_is_answered_for(start: StartGateway) -> None:
    go_on, finished = asyncio.Event(), asyncio.Event()

    async def default(event: Any) -> object:
        await go_on.wait()
        finished.set()
        return {"body": "too late"}

    running = await start(default=default, socket_timeout=0.05)
    socket, connection_id = await running.open_socket()
    await socket.send("x")
    assert error_frame("Internal server error", connection_id).fullmatch(str(await socket.recv()))
    go_on.set()
    await finished.wait()
    await running.post(connection_id, b"next")
    assert await socket.recv() == "next"


async def test_a_two_way_route_answers_its_body_whatever_the_status(start: StartGateway) -> None:
    running = await start(default=lambda event: {"statusCode": 500, "body": "a\nb"})
    async with running.dial() as socket:
        await socket.send("x")
        assert await socket.recv() == "a\nb"


@pytest.mark.parametrize("result", [None, {}, {"statusCode": 200}, {"body": ""}, {"body": None}])
async def test_a_two_way_route_without_a_body_sends_nothing(start: StartGateway, result: object) -> None:
    running = await start(default=lambda event: result)
    socket, connection_id = await running.open_socket()
    await socket.send("x")
    await running.functions.wait_for("default")
    await running.post(connection_id, b"first thing to arrive")
    assert await socket.recv() == "first thing to arrive"


@pytest.mark.parametrize("result", ["text", 1, ["x"], {"body": {"a": 1}}, {"body": "x" * (128 * 1024 + 1)}])
async def test_a_two_way_route_with_an_unusable_answer_is_an_internal_server_error(
    start: StartGateway, result: object
) -> None:
    running = await start(default=lambda event: result)
    socket, connection_id = await running.open_socket()
    await socket.send("x")
    assert error_frame("Internal server error", connection_id).fullmatch(str(await socket.recv()))


async def test_a_one_way_route_answers_nothing(start: StartGateway) -> None:
    running = await start(default=echo, two_way=False)
    socket, connection_id = await running.open_socket()
    await socket.send("x")
    await running.functions.wait_for("default")
    await running.post(connection_id, b"first thing to arrive")
    assert await socket.recv() == "first thing to arrive"


async def test_messages_of_one_connection_run_at_the_same_time_and_overtake(start: StartGateway) -> None:
    second_done = asyncio.Event()

    async def default(event: Any) -> object:
        if event["body"] == "first":
            await second_done.wait()
        second_done.set()
        return {"body": event["body"]}

    running = await start(default=default)
    async with running.dial() as socket:
        await socket.send("first")
        await socket.send("second")
        assert [await socket.recv(), await socket.recv()] == ["second", "first"]


async def test_jitter_starts_messages_out_of_order(start: StartGateway) -> None:
    running = await start(default=ignore)
    running.gateway.faults.message_jitter = 0.02
    running.gateway.faults.random.seed(1)
    async with running.dial() as socket:
        for n in range(20):
            await socket.send(str(n))
        events = await running.functions.wait_for("default", 20)
    order = [int(event["body"]) for event in events]
    assert sorted(order) == list(range(20))
    assert order != sorted(order)


async def test_a_throttled_route_answers_too_many_requests(start: StartGateway) -> None:
    running = await start(default=echo, socket_throttles={"$default": Throttle(rate=0.001, burst=1)})
    socket, connection_id = await running.open_socket()
    await socket.send("1")
    assert await socket.recv() == "1"
    await socket.send("2")
    assert error_frame("Too Many Requests", connection_id).fullmatch(str(await socket.recv()))


async def test_an_answer_for_a_closed_socket_is_dropped(start: StartGateway) -> None:
    answer = asyncio.Event()

    async def default(event: Any) -> object:
        await answer.wait()
        return {"body": "late"}

    running = await start(default=default, disconnect=ignore)
    async with running.dial() as socket:
        await socket.send("x")
        await running.functions.wait_for("default")
    await running.functions.wait_for("disconnect")
    answer.set()
    other, _ = await running.open_socket()
    await other.send("x")
    assert await other.recv() == "late"
