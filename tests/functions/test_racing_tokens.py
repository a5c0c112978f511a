"""Two users' tokens race on one socket that came without any: it is one user's, and the other gets nothing of it."""

import json
from typing import Any

import pytest
import redis

from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from shared.auth.sockets import Sockets
from tests.functions.websocket_events import ADDRESS, Gateway, gateway_of
from tests.realtime.conftest import sent
from tests.support.connections import RecordingConnections

__all__ = ["sent"]


@pytest.fixture
def gateway(
    upstash: ThreadedUpstash, issuer: ThreadedIssuer, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> Gateway:
    return gateway_of(upstash, issuer, sent, monkeypatch)


def race(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, first: str, second: str) -> str:
    """Both looked for the socket's owner before either was admitted."""
    socket = gateway.open()
    gateway.send(socket, {"id": 1, "connect": {"token": first}})
    with monkeypatch.context() as patched:
        found, real = iter([None]), Sockets.find
        patched.setattr(Sockets, "find", lambda self, connection: next(found, real(self, connection)))
        gateway.send(socket, {"id": 2, "connect": {"token": second}})
    return socket


def held(direct: "redis.Redis", tenant: str, user: str, socket: str) -> list[Any]:
    key = f"{{t:{tenant}}}:user:{user}"
    return [direct.hget(key, f"{kind}:{socket}") for kind in "csm"]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same tenant", "another tenant"])
def test_the_second_user_is_not_admitted(
    gateway: Gateway, redis_direct: "redis.Redis", monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    tenant = f"{gateway.tenant}x" if elsewhere else gateway.tenant
    other = gateway.token("bob", app_metadata={"tenant_id": tenant, "permissions": ["read"]})
    bystander = gateway.open()
    gateway.send(bystander, {"id": 1, "connect": {"token": other}})
    socket = race(gateway, monkeypatch, gateway.token("ann"), other)
    assert held(redis_direct, tenant, "bob", socket) == [None, None, None]
    assert json.loads(str(redis_direct.get(f"{{sock:{socket}}}")))[1] == "ann"
    assert [frame["id"] for frame in gateway.sent.frames(socket) if "id" in frame] == [1]
    assert gateway.ended(socket) == [3500]
    scope = gateway.functions["message"].realtime.sockets.find(bystander).scope
    gateway.functions["message"].realtime.channels.publish(scope, "user:bob", b"1")
    assert [push["data"] for push in gateway.sent.pushes(bystander, "pub")] == [1]
    assert gateway.sent.pushes(socket, "pub") == []
    assert redis_direct.zscore(f"{{t:{tenant}}}:addresses", ADDRESS) == 1


def test_the_same_users_second_token_is_a_second_connect(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    socket = race(gateway, monkeypatch, gateway.token("ann"), gateway.token("ann"))
    assert gateway.ended(socket) == [3501]
