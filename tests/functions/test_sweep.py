"""`sweep`: whose turn it is, and that nobody takes the turn of others."""

import importlib
import secrets
import time
from collections.abc import Iterator
from types import ModuleType

import pytest
import redis

from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from shared.auth.due import SOCKET, DueIndex
from shared.settings import settings
from tests.functions.websocket_events import Gateway, gateway_of
from tests.realtime.conftest import sent
from tests.support.connections import RecordingConnections

__all__ = ["sent"]


@pytest.fixture
def gateway(
    upstash: ThreadedUpstash, issuer: ThreadedIssuer, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> Gateway:
    return gateway_of(upstash, issuer, sent, monkeypatch)


@pytest.fixture
def sweep(gateway: Gateway, redis_direct: "redis.Redis") -> Iterator[ModuleType]:
    """The function, in the gateway's environment; nothing of other tests is due."""
    for key in redis_direct.scan_iter(match="{sys}:*"):
        redis_direct.delete(key)
    settings.cache_clear()
    yield importlib.reload(importlib.import_module("functions.sweep.handler"))
    settings.cache_clear()


def make_due(sweep: ModuleType, direct: "redis.Redis", member: str, at_ms: int) -> None:
    due: DueIndex = sweep.realtime.due
    kind, _, name = member.partition("|")
    assert kind == SOCKET
    due.note_socket(name, at_ms)


def everything_is_due(direct: "redis.Redis") -> None:
    for key in direct.scan_iter(match="{sys}:due:*"):
        for member in map(str, direct.zrange(key, 0, -1)):
            direct.zadd(key, {member: 2})


def test_unproven_sockets_are_closed_once_and_forgotten(
    gateway: Gateway, sweep: ModuleType, redis_direct: "redis.Redis"
) -> None:
    unproven, proven = gateway.open(), gateway.client()
    everything_is_due(redis_direct)
    sweep.handler({}, None)
    assert gateway.ended(unproven) == [3502]
    assert gateway.ended(proven) == []
    left = [member for key in redis_direct.scan_iter(match="{sys}:due:*") for member in redis_direct.zrange(key, 0, -1)]
    assert not [member for member in map(str, left) if member.startswith("socket|")]


def test_tenants_come_before_a_flood_of_sockets_without_identity(
    gateway: Gateway, sweep: ModuleType, redis_direct: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    client = gateway.client()
    everything_is_due(redis_direct)
    for _ in range(30):
        make_due(sweep, redis_direct, f"socket|{secrets.token_hex(4)}", 1)
    redis_direct.zadd(f"{{t:{gateway.tenant}}}:leases", {client: int(time.time() * 1000) + 60_000})
    order: list[str] = []
    monkeypatch.setattr(sweep, "close_unproven", lambda sockets, context: order.append("sockets"))
    gateway.sent.answers[client] = lambda body: order.append("tenant") or 200  # type: ignore[func-returns-value]
    sweep.handler({}, None)
    assert order == ["tenant", "sockets"]


def test_one_tenants_failure_leaves_the_others_alone(
    gateway: Gateway, sweep: ModuleType, redis_direct: "redis.Redis"
) -> None:
    client = gateway.client()
    for broken in ("aaa", "zzz"):
        redis_direct.set(f"{{t:{broken}}}:leases", "not a zset", ex=100)
        redis_direct.zadd("{sys}:due:0", {f"leases|{broken}": 2})
    everything_is_due(redis_direct)
    redis_direct.zadd(f"{{t:{gateway.tenant}}}:leases", {client: int(time.time() * 1000) + 60_000})
    gateway.sent.forget()
    sweep.handler({}, None)
    assert gateway.sent.frames(client) == [{"push": {"channel": "$ka"}}]
    for broken in ("aaa", "zzz"):
        redis_direct.delete(f"{{t:{broken}}}:leases")


def test_two_sweeps_do_not_meet(gateway: Gateway, sweep: ModuleType, redis_direct: "redis.Redis") -> None:
    unproven = gateway.open()
    everything_is_due(redis_direct)
    redis_direct.set("{sys}:sweep", "1", px=5000)
    sweep.handler({}, None)
    assert gateway.ended(unproven) == []
    redis_direct.delete("{sys}:sweep")
    sweep.handler({}, None)
    assert gateway.ended(unproven) == [3502]


def test_what_a_later_version_of_the_code_has_due_is_left_to_it(sweep: ModuleType, redis_direct: "redis.Redis") -> None:
    redis_direct.zadd("{sys}:due:0", {"dreams|acme": 2})
    sweep.handler({}, None)
    assert redis_direct.zscore("{sys}:due:0", "dreams|acme") == 2
