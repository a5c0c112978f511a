"""What the server API does to users: ends, refreshes, blocks and counts their connections."""

import time

import pytest

from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from shared.errors import InvalidToken
from tests.functions.backend import Backend, backend_of
from tests.realtime.conftest import World, another_environment, sent, world
from tests.support.connections import RecordingConnections

__all__ = ["sent", "world"]


@pytest.fixture
def backend(world: World, issuer: ThreadedIssuer) -> Backend:
    return backend_of(world, issuer)


def test_disconnect_closes_a_users_connections_with_the_code(backend: Backend) -> None:
    world = backend.world
    ann, other, bob = world.client("ann"), world.client("ann"), world.client("bob")
    backend.result("disconnect", {"user": "ann", "disconnect": {"code": 4001, "reason": "out"}})
    for client in (ann, other):
        assert world.sent.pushes(client.connection, "disconnect") == [{"code": 4001, "reason": "out"}]
    assert set(world.sent.closed) == {ann.connection, other.connection}
    assert not world.sent.pushes(bob.connection, "disconnect")


def test_disconnect_can_name_one_client_or_spare_some(backend: Backend) -> None:
    world = backend.world
    clients = [world.client("ann").connection for _ in range(3)]
    backend.result("disconnect", {"user": "ann", "client": clients[0], "disconnect": {"code": 0}})
    assert world.sent.pushes(clients[0], "disconnect") == [{"code": 3503, "reason": "force disconnect"}]
    backend.result("disconnect", {"user": "ann", "session": "a client session of Centrifugo's"})
    backend.result("disconnect", {"user": "ann", "client": world.client("bob").connection})
    assert world.sent.closed == [clients[0]]
    backend.result("disconnect", {"user": "ann", "whitelist": [clients[2]]})
    assert world.sent.closed == clients[:2]
    assert list(backend.result("connections", {"user": "ann"})["connections"]) == [clients[2]]


def test_refresh_lets_connections_go_on_or_ends_them(backend: Backend) -> None:
    world = backend.world
    ann, other = world.client("ann").connection, world.client("ann").connection
    until = int(time.time()) + 50_000
    backend.result("refresh", {"user": "ann", "client": ann, "expire_at": until})
    listed = {one.client: one.expires_at for one in world.realtime.channels.connections_of(world.scope, "ann")}
    assert listed[ann] == until
    assert listed[other] < until
    backend.result("refresh", {"user": "ann", "client": other, "expired": True})
    assert world.sent.pushes(other, "disconnect") == [{"code": 3005, "reason": "connection expired"}]
    backend.result("refresh", {"user": "ann", "session": "a client session of Centrifugo's", "expire_at": until})
    backend.result("refresh", {"user": "ann", "expire_at": 1})
    assert set(world.sent.closed) == {ann, other}


def test_a_blocked_user_is_closed_and_stays_out_until_unblocked(backend: Backend) -> None:
    world = backend.world
    ann = world.client("ann")
    backend.result("block_user", {"user": "ann"})
    assert world.sent.pushes(ann.connection, "disconnect") == [{"code": 3503, "reason": "force disconnect"}]
    with pytest.raises(InvalidToken):
        world.client("ann")
    backend.result("unblock_user", {"user": "ann"})
    world.client("ann")


def test_a_user_with_void_tokens_is_sent_to_fetch_another(backend: Backend) -> None:
    world = backend.world
    ann = world.client("ann")
    backend.result("invalidate_user_tokens", {"user": "ann"})
    assert world.sent.pushes(ann.connection, "disconnect")[0]["code"] == 3011
    with pytest.raises(InvalidToken):
        world.client("ann")


def test_info_counts_the_tenants_own_connections(
    backend: Backend, upstash: ThreadedUpstash, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    another_environment(upstash, sent, monkeypatch).client("stranger")
    for _ in range(2):
        backend.world.client()
    (node,) = backend.result("info")["nodes"]
    assert {"uid", "name", "version", "num_clients"} <= set(node)
    assert node["num_clients"] == 2
