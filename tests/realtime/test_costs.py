"""DESIGN §5's budgets, counted exactly as the server executed them: a change here is a change of the bill."""

import time
from collections.abc import Callable

import pytest

from local.redis import ThreadedUpstash
from shared.realtime.connections import ConnectRequest
from shared.realtime.protocol import publication_body
from tests.realtime.conftest import World

CHANNEL = "chat:lobby"
BODY = publication_body(b"1")


def cost(upstash: ThreadedUpstash, work: Callable[[], object]) -> tuple[int, int]:
    """Round trips and commands."""
    with upstash.counting() as counted:
        work()
    return counted.round_trips, counted.commands


@pytest.fixture
def warm(world: World) -> World:
    """Scripts loaded, due entries noted, the tenant, user and channel known."""
    for _ in range(2):
        client = world.client("ann")
        world.subscribe(client, CHANNEL)
        world.realtime.connections.publish(client, CHANNEL, BODY)
        socket = world.realtime.connections.admit(f"{client.connection}x", world.identity("ann"), "1.2.3.4")
        world.realtime.connections.disconnect(socket)
    world.realtime.channels.publish(world.scope, CHANNEL, b"1")
    world.realtime.connections.disconnect(client)
    return world


def test_first_frame_connect_with_all_caps(warm: World, upstash: ThreadedUpstash) -> None:
    assert cost(upstash, lambda: warm.client("ann")) == (2, 11)


def test_handshake_connect_with_all_caps(warm: World, upstash: ThreadedUpstash) -> None:
    connections, identity = warm.realtime.connections, warm.identity("ann")
    assert cost(upstash, lambda: connections.admit("handshake", identity, "1.2.3.4")) == (1, 8)


def test_connect_after_the_handshake(warm: World, upstash: ThreadedUpstash) -> None:
    socket = warm.realtime.connections.admit("c", warm.identity("ann"), "1.2.3.4")
    request = ConnectRequest(1, '"client":"c"', None)
    assert cost(upstash, lambda: warm.realtime.connections.connect(socket, request)) == (2, 7)


@pytest.mark.parametrize("channels", [0, 1, 2, 3, 16, 17, 40])
def test_disconnect(warm: World, upstash: ThreadedUpstash, channels: int) -> None:
    client = warm.client("leaver")
    for i in range(channels):
        warm.subscribe(client, f"chat:{i}", cmd=2 + i)
    calls = max(1, -(-channels // 16))
    more = 2 * calls if calls > 1 else 0
    disconnecting = lambda: warm.realtime.connections.disconnect(client)  # noqa: E731
    assert cost(upstash, disconnecting) == (1 + calls, 6 + 2 * channels + more)


def test_subscribe_with_recovery(warm: World, upstash: ThreadedUpstash) -> None:
    epoch = warm.realtime.channels.history(warm.scope, CHANNEL, limit=0).epoch
    client = warm.client("bob")
    work = lambda: warm.subscribe(client, CHANNEL, recover=True, epoch=epoch, offset=1)  # noqa: E731
    assert cost(upstash, work) == (2, 10)


def test_subscribe_with_recovery_while_others_listen_to_joins(warm: World, upstash: ThreadedUpstash) -> None:
    warm.subscribe(warm.client("listener"), CHANNEL, join_leave=True)
    epoch = warm.realtime.channels.history(warm.scope, CHANNEL, limit=0).epoch
    client = warm.client("bob")
    work = lambda: warm.subscribe(client, CHANNEL, recover=True, epoch=epoch, offset=1)  # noqa: E731
    assert cost(upstash, work) == (2, 12)


@pytest.mark.parametrize("subscribers", [1, 2, 50])
def test_publish_costs_the_same_for_any_number_of_subscribers(
    warm: World, upstash: ThreadedUpstash, subscribers: int
) -> None:
    clients = [warm.client(f"u{i}") for i in range(subscribers)]
    for client in clients:
        warm.subscribe(client, CHANNEL)
    publish = warm.realtime.connections.publish
    assert cost(upstash, lambda: publish(clients[0], CHANNEL, BODY)) == (2, 11)
    server = lambda: warm.realtime.channels.publish(warm.scope, CHANNEL, b"1")  # noqa: E731
    assert cost(upstash, server) == (2, 10)


def test_a_frame_in_an_environment_new_to_the_socket(warm: World, upstash: ThreadedUpstash) -> None:
    client = warm.client("ann")
    warm.realtime.sockets._known.clear()
    assert cost(upstash, lambda: warm.realtime.sockets.find(client.connection)) == (1, 1)
    assert cost(upstash, lambda: warm.realtime.sockets.find(client.connection)) == (0, 0)


@pytest.mark.parametrize("channels", [1, 2, 3, 16, 17])
def test_disconnect_from_channels_where_others_listen_to_leaves(
    warm: World, upstash: ThreadedUpstash, channels: int
) -> None:
    """One more than 6 + 4n makes sure that sweep finds them all, should the queue's messages be lost."""
    client, listener = warm.client("leaver"), warm.client("listener")
    for i in range(channels):
        warm.subscribe(listener, f"chat:{i}", cmd=2 + i, join_leave=True)
        warm.subscribe(client, f"chat:{i}", cmd=2 + i)
        warm.realtime.delivery.wake(warm.scope, f"chat:{i}", time.monotonic() + 5)
    calls = -(-channels // 16)
    disconnecting = lambda: warm.realtime.connections.disconnect(client)  # noqa: E731
    assert cost(upstash, disconnecting) == (1 + calls, 6 + 4 * channels + calls + (2 * calls if calls > 1 else 0))


@pytest.mark.parametrize("channels", [1, 2, 16])
def test_asking_back_costs_no_more_than_a_disconnect(warm: World, upstash: ThreadedUpstash, channels: int) -> None:
    client, listener = warm.client("old"), warm.client("listener")
    for i in range(channels):
        warm.subscribe(listener, f"chat:{i}", cmd=2 + i, join_leave=True)
        warm.subscribe(client, f"chat:{i}", cmd=2 + i)
    going = lambda: warm.realtime.connections.disconnect(client, comes_back=True)  # noqa: E731
    assert cost(upstash, going) == (2, 6 + 3 * channels + 1)
    back = warm.client("old")
    assert cost(upstash, lambda: warm.subscribe(back, "chat:0")) == (2, 10)
