"""What the server API does to users: ends, refreshes, blocks and counts their connections."""

import time
from typing import Any

import pytest

from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from shared.errors import InvalidToken
from shared.realtime.connections import ConnectRequest, connect_extra
from shared.realtime.delivery import user_key
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


@pytest.mark.parametrize("whose", [{}, {"user": ""}, {"user": None, "expression": ""}])
def test_without_a_user_everybody_is_listed(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, whose: dict[str, Any]
) -> None:
    monkeypatch.setattr("shared.realtime.roster._PAGE", 2)
    clients = [backend.world.client(user).connection for user in ("ann", "bob", "ann")]
    assert set(backend.result("connections", whose)["connections"]) == set(clients)
    monkeypatch.setattr("shared.realtime.roster._LOOKED_THROUGH", 2)
    assert backend.error("connections", whose) == 106


def test_refresh_lets_connections_go_on_or_ends_them(backend: Backend) -> None:
    world = backend.world
    ann, other = world.client("ann").connection, world.client("ann").connection
    until = int(time.time()) + 50_000
    backend.result("refresh", {"user": "ann", "client": ann, "expire_at": until})
    listed = {one.client: one.expires_at for one in world.realtime.roster.of_user(world.scope, "ann")}
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


def test_who_came_with_a_newer_token_is_left_alone(backend: Backend) -> None:
    world = backend.world
    ann, other = world.client("ann"), world.client("ann")
    record = world.realtime.redis.call("HGET", user_key(world.scope, "ann"), f"c:{other.connection}").split("\n")
    younger = "\n".join([*record[:4], str(int(record[4]) + 100), *record[5:]])
    world.realtime.redis.call("HSET", user_key(world.scope, "ann"), f"c:{other.connection}", younger)
    backend.result("invalidate_user_tokens", {"user": "ann", "issued_before": int(record[4]) + 50})
    assert world.sent.closed == [ann.connection]


def test_info_counts_the_tenants_own_connections(
    backend: Backend, upstash: ThreadedUpstash, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    another_environment(upstash, sent, monkeypatch).client("stranger")
    for _ in range(2):
        backend.world.client()
    (node,) = backend.result("info")["nodes"]
    assert {"uid", "name", "version"} <= set(node)
    counts = {name: count for name, count in node.items() if name.startswith("num_")}
    assert counts == {"num_clients": 2, "num_users": 1, "num_subs": 2, "num_channels": 1}


def test_of_very_many_connections_info_counts_nothing_else(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.realtime.roster._COUNTED_THROUGH", 1)
    for _ in range(2):
        backend.world.client()
    (node,) = backend.result("info")["nodes"]
    assert {name: count for name, count in node.items() if name.startswith("num_")} == {"num_clients": 2}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("chat:*", ["chat:1", "chat:22"]),
        ("chat:?", ["chat:1"]),
        ("{chat,news}:1", ["chat:1", "news:1"]),
        ("*:{1,2{1,2}}", ["chat:1", "chat:22", "news:1"]),
        ("[!c]*:[0-9]", ["news:1"]),
        ("nothing", []),
        ("{", ["{"]),
        ("", ["chat:1", "chat:22", "news:1", "user:ann", "{"]),
    ],
)
def test_channels_are_found_by_centrifugos_patterns(backend: Backend, pattern: str, found: list[str]) -> None:
    ann = backend.world.client("ann")
    for cmd, channel in enumerate(("chat:1", "chat:22", "news:1", "{"), 2):
        backend.world.subscribe(ann, channel, cmd=cmd)
    assert sorted(backend.result("channels", {"pattern": pattern})["channels"]) == found


@pytest.mark.parametrize("pattern", ["{a,b}" * 40, "{" * 5_000 + "}" * 5_000, "a" * 257], ids=lambda text: text[:5])
def test_a_pattern_that_is_too_much_is_107(backend: Backend, pattern: str) -> None:
    assert backend.error("channels", {"pattern": pattern}) == 107


def test_a_connection_shows_its_app(backend: Backend) -> None:
    world = backend.world
    for connection, app in (("named", '["my \\n app","1.2"]'), ("nameless", "")):
        request = ConnectRequest(1, connect_extra(connection, 0, 0), None, app)
        world.realtime.connections.admit_connected(connection, world.identity("ann"), "1.2.3.4", request)
    found = backend.result("connections", {"user": "ann"})["connections"]
    shown = {client: (one["app_name"], one["app_version"]) for client, one in found.items()}
    assert shown == {"named": ("my \n app", "1.2"), "nameless": ("", "")}
