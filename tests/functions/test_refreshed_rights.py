"""A refresh takes the rights that the newer token has no more, and out of the channels that they had opened."""

import secrets
import time

import pytest
import redis

from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from local.redis.faults import Fault
from shared.auth.identify import Authenticator
from shared.files.store import FileStore
from shared.realtime.connections import _UNSUBSCRIBE
from shared.sessions.access import SessionAccess
from shared.sessions.audience import Audience
from shared.sessions.model import Access
from shared.sessions.service import NewSession, Sessions
from shared.sessions.store import SessionStore
from tests.functions.websocket_events import Gateway, gateway_of
from tests.realtime.conftest import sent
from tests.support.connections import RecordingConnections

__all__ = ["sent"]
CHAT = "chat:lobby"


@pytest.fixture
def gateway(
    upstash: ThreadedUpstash, issuer: ThreadedIssuer, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> Gateway:
    return gateway_of(upstash, issuer, sent, monkeypatch)


def session_of(gateway: Gateway, owner: str) -> str:
    """The channel of a new session that only its owner and admins may read."""
    realtime = gateway.functions["message"].realtime
    store = SessionStore(realtime.redis, realtime.due, realtime.delivery)
    files = FileStore(realtime.redis, realtime.due, realtime.delivery)
    audience = Audience(store, realtime.channels, files.channels_of)
    sessions = Sessions(store, SessionAccess(store), audience, realtime.settings)
    identity = Authenticator(realtime.settings).from_token(gateway.token(owner, "read", "write"))
    new = NewSession(data={}, ttl_s=600, lifetime_s=600, access=Access())
    return f"session:{sessions.create(identity, new, secrets.token_hex(16)).id}"


def subscribed(gateway: Gateway, user: str, *channels: str, permissions: tuple[str, ...]) -> str:
    client = gateway.client(user, *permissions)
    for cmd, channel in enumerate(channels, 2):
        assert "subscribe" in gateway.ask(client, cmd, "subscribe", channel=channel), channel
    return client


def left(gateway: Gateway, client: str) -> list[str]:
    """Channels that the client was taken out of, by the pushes it got."""
    pushes = [frame["push"] for frame in gateway.sent.frames(client) if "push" in frame]
    assert {push["unsubscribe"]["code"] for push in pushes if "unsubscribe" in push} <= {2000}
    return sorted(push["channel"] for push in pushes if "unsubscribe" in push)


def expiry(gateway: Gateway, direct: "redis.Redis", client: str, user: str = "ann") -> int:
    return int(str(direct.hget(f"{{t:{gateway.tenant}}}:user:{user}", f"c:{client}")).split("\n")[2])


def test_without_read_only_the_personal_channel_is_left(gateway: Gateway) -> None:
    client = subscribed(gateway, "ann", CHAT, "chat:2", permissions=("read", "write"))
    assert "refresh" in gateway.ask(client, 9, "refresh", token=gateway.token("ann", "write"))
    assert left(gateway, client) == ["chat:2", CHAT]
    channels = gateway.functions["message"].realtime.channels
    scope = gateway.functions["message"].realtime.sockets.find(client).scope
    channels.publish(scope, CHAT, b"1")
    channels.publish(scope, "user:ann", b'"still"')
    assert [push["data"] for push in gateway.sent.pushes(client, "pub")] == ["still"]
    assert gateway.error(client, 10, "subscribe", channel=CHAT) == 103
    assert gateway.ended(client) == []


def test_without_admin_what_only_admins_read_is_left(gateway: Gateway) -> None:
    own, foreign = session_of(gateway, "ann"), session_of(gateway, "bob")
    client = subscribed(gateway, "ann", CHAT, own, foreign, permissions=("admin",))
    assert "refresh" in gateway.ask(client, 9, "refresh", token=gateway.token("ann", "read"))
    assert left(gateway, client) == [foreign]


@pytest.mark.parametrize("permissions", [("read",), ("admin",), ("read", "write", "execute")])
def test_with_the_rights_that_they_need_channels_stay(gateway: Gateway, permissions: tuple[str, ...]) -> None:
    client = subscribed(gateway, "ann", CHAT, session_of(gateway, "ann"), permissions=("read", "write"))
    assert "refresh" in gateway.ask(client, 9, "refresh", token=gateway.token("ann", *permissions))
    assert left(gateway, client) == []


def test_a_refresh_that_takes_nothing_is_one_round_trip(gateway: Gateway, upstash: ThreadedUpstash) -> None:
    client = subscribed(gateway, "ann", CHAT, "chat:2", permissions=("read", "write"))
    token = gateway.token("ann", "read", "write", exp=int(time.time()) + 7000)
    gateway.ask(client, 8, "refresh", token=token)
    with upstash.counting() as counted:
        gateway.ask(client, 9, "refresh", token=token)
    assert counted.round_trips == 1


def test_time_is_given_only_when_it_is_out_of_what_it_lost(
    gateway: Gateway, upstash: ThreadedUpstash, redis_direct: "redis.Redis"
) -> None:
    """A death in between leaves neither the rights nor more time; asked again, the refresh is finished."""
    client = subscribed(gateway, "ann", CHAT, permissions=("read", "write"))
    before = expiry(gateway, redis_direct, client)
    token = gateway.token("ann", "write", exp=int(time.time()) + 7000)
    digest = _UNSUBSCRIBE.sha1.encode()
    upstash.faults.inject(Fault.DROP, times=None, when=lambda sent: any(digest in command for command in sent))
    try:
        assert gateway.error(client, 8, "refresh", token=token) == 100
    finally:
        upstash.faults.clear()
    assert expiry(gateway, redis_direct, client) == before
    assert gateway.error(client, 9, "history", channel=CHAT, limit=1) == 103
    assert "refresh" in gateway.ask(client, 10, "refresh", token=token)
    assert left(gateway, client) == [CHAT]
    assert expiry(gateway, redis_direct, client) > before
