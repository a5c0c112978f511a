"""Ten idle minutes and two hours end a socket with 1001, by a clock that the test turns."""

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from local.gateway import Clock
from tests.local.gateway.harness import RunningGateway, StartGateway, echo, ignore

pytestmark = pytest.mark.anyio


async def assert_closed_as_going_away(socket: ClientConnection, running: RunningGateway) -> None:
    with pytest.raises(websockets.ConnectionClosed):
        await socket.recv()
    assert (socket.close_code, socket.close_reason) == (1001, "Going away")
    (event,) = await running.functions.wait_for("disconnect")
    assert event["requestContext"]["disconnectStatusCode"] == 1001
    assert running.gateway.connection_ids == []


async def test_ten_idle_minutes_close_a_socket(start: StartGateway) -> None:
    running = await start(default=echo, disconnect=ignore)
    async with running.dial() as socket:
        running.clock.step(599)
        running.gateway.close_overdue()
        assert len(running.gateway.connection_ids) == 1
        running.clock.step(1)
        await assert_closed_as_going_away(socket, running)


@pytest.mark.parametrize("direction", ["in", "out"])
async def test_a_message_in_either_direction_starts_the_idle_time_again(start: StartGateway, direction: str) -> None:
    running = await start(default=ignore, disconnect=ignore)
    socket, connection_id = await running.open_socket()
    running.clock.step(599)
    if direction == "in":
        await socket.send("x")
        await running.functions.wait_for("default")
    else:
        await running.post(connection_id, b"x")
        await socket.recv()
    running.clock.step(599)
    running.gateway.close_overdue()
    assert running.gateway.connection_ids == [connection_id]
    running.clock.step(1)
    await assert_closed_as_going_away(socket, running)


async def test_a_ping_does_not_count_as_a_message(start: StartGateway) -> None:
    running = await start(default=ignore, disconnect=ignore)
    async with running.dial() as socket:
        running.clock.step(599)
        await (await socket.ping())
        running.clock.step(1)
        await assert_closed_as_going_away(socket, running)


async def test_two_hours_close_even_a_busy_socket(start: StartGateway) -> None:
    running = await start(default=echo, disconnect=ignore)
    async with running.dial() as socket:
        for _ in range(14):
            running.clock.step(500)
            await socket.send("x")
            await socket.recv()
        running.clock.step(200)
        await assert_closed_as_going_away(socket, running)


def test_a_clock_can_run_fast_and_be_stepped() -> None:
    standing, running = Clock(rate=0), Clock(rate=3600)
    assert standing() == standing() == 0
    standing.step(7200)
    assert standing() == 7200
    first = running()
    running.step(10)
    assert running() >= first + 10
