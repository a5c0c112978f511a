"""`session:<id>` over the deployed functions: who may read the session over HTTP may hear it, and nobody else."""

import importlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
import redis

from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from shared.auth.identity import Identity, Permission
from shared.sessions.access import SessionAccess
from shared.sessions.audience import Audience
from shared.sessions.model import Access
from shared.sessions.service import NewSession, Sessions
from shared.sessions.store import SessionStore
from shared.settings import settings
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.functions.http_events import FunctionClient
from tests.functions.websocket_events import Gateway, gateway_of
from tests.realtime.conftest import sent
from tests.support.connections import RecordingConnections

__all__ = ["sent"]


@dataclass
class Place:
    """The WebSocket and session functions of one tenant, and sweep."""

    gateway: Gateway
    http: FunctionClient
    sweep: ModuleType

    def call(self, method: str, path: str, user: str = "ann", *permissions: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {self.gateway.token(user, *permissions)}"}
        return self.http.request(method, path, headers=headers, json=body)

    def create(self, **members: Any) -> str:
        return str(self.call("POST", "/sessions", body=members).json()["id"])

    def heard(self, client: str) -> list[object]:
        pushes = [frame["push"] for frame in self.gateway.sent.frames(client) if "push" in frame]
        return [push["pub"]["data"]["type"] if "pub" in push else push["unsubscribe"]["code"] for push in pushes]


@pytest.fixture
def place(
    upstash: ThreadedUpstash,
    issuer: ThreadedIssuer,
    sent: RecordingConnections,
    monkeypatch: pytest.MonkeyPatch,
    redis_direct: "redis.Redis",
) -> Iterator[Place]:
    """Nothing of other tests is due."""
    for key in redis_direct.scan_iter(match="{sys}:*"):
        redis_direct.delete(key)
    gateway = gateway_of(upstash, issuer, sent, monkeypatch)
    session, sweep = (importlib.reload(importlib.import_module(f"functions.{n}.handler")) for n in ("session", "sweep"))
    yield Place(gateway, FunctionClient(session.handler), sweep)
    settings.cache_clear()


@pytest.mark.parametrize(
    "access",
    [{}, {"tenant": "read"}, {"tenant": "write"}, {"users": {"bob": "read"}}, {"users": {"bob": "write"}}],
)
@pytest.mark.parametrize(
    ("user", "permissions"),
    [("ann", ["read"]), ("bob", ["read"]), ("bob", ["write"]), ("cat", ["read"]), ("boss", ["admin"])],
)
def test_one_rule_decides_reading_and_hearing(
    place: Place, access: dict[str, Any], user: str, permissions: list[str]
) -> None:
    session = place.create(access=access)
    status = place.call("GET", f"/sessions/{session}", user, *permissions).status_code
    client = place.gateway.client(user, *permissions)
    answer = place.gateway.ask(client, 2, "subscribe", channel=f"session:{session}")
    assert (status, answer.get("error", {}).get("code")) in [(200, None), (403, 103), (404, 103)]


def test_whose_share_is_taken_away_hears_asks_and_subscribes_in_vain(place: Place) -> None:
    session = place.create(access={"tenant": "read"})
    channel, path = f"session:{session}", f"/sessions/{session}"
    ann, bob = place.gateway.client("ann"), place.gateway.client("bob")
    for client in (ann, bob):
        place.gateway.ask(client, 2, "subscribe", channel=channel)
    assert place.call("PATCH", f"{path}/access", body={"tenant": None}).status_code == 200
    assert place.call("PATCH", path, body={"secret": 1}).status_code == 200
    assert place.heard(bob) == ["session.updated", 2000]
    assert place.heard(ann) == ["session.updated", "session.updated"]
    for command_id, method in enumerate(("history", "presence", "presence_stats", "subscribe"), 3):
        assert place.gateway.error(bob, command_id, method, channel=channel) == 103


def test_a_subscription_that_no_lane_holds_shows_nothing_once_the_share_is_taken_away(place: Place) -> None:
    session = place.create(access={"tenant": "read"})
    channel, bob = f"session:{session}", place.gateway.client("bob")
    getting_state = {"recover": True, "epoch": "another", "offset": 1, "flag": 2}
    assert place.gateway.error(bob, 2, "subscribe", channel=channel, **getting_state) == 112
    place.call("PATCH", f"/sessions/{session}/access", body={"tenant": None})
    place.call("PATCH", f"/sessions/{session}", body={"secret": 1})
    for command_id, method in enumerate(("history", "presence", "presence_stats"), 3):
        assert place.gateway.error(bob, command_id, method, channel=channel) == 103


def test_expiry_is_told_by_the_first_sweep_after_it(place: Place) -> None:
    realtime, now = place.sweep.realtime, int(time.time())
    store = SessionStore(realtime.redis, realtime.due, realtime.delivery, lambda: now - 61)
    scope = TenantScope(place.gateway.tenant, SCOPE_SEAL)
    ann = Identity(scope, "ann", frozenset({Permission.WRITE}), "of-ann", now - 100, now + 100, "token")
    audience = Audience(store, realtime.channels, lambda *_: ())
    new = NewSession(data={}, ttl_s=60, lifetime_s=60, access=Access())
    session = Sessions(store, SessionAccess(store), audience, settings()).create(ann, new, secrets.token_hex(16)).id
    client = place.gateway.client("ann")
    place.gateway.ask(client, 2, "subscribe", channel=f"session:{session}")
    assert place.call("GET", f"/sessions/{session}").json()["status"] == "expired"
    place.sweep.handler({}, None)
    assert place.heard(client) == ["session.expired", 2000]
    assert place.call("GET", f"/sessions/{session}").json()["version"] == 2
