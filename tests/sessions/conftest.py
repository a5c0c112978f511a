"""The session layer on a real Valkey; time is a number that tests move."""

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from local.redis import ThreadedUpstash
from shared.auth.identity import Identity, Permission
from shared.auth.sockets import Socket
from shared.files.store import FileStore
from shared.realtime.connections import ConnectRequest, connect_extra
from shared.realtime.protocol import SubscribeOptions
from shared.realtime.realtime import Realtime
from shared.sessions.access import SessionAccess
from shared.sessions.audience import Audience
from shared.sessions.expiry import SessionExpiry
from shared.sessions.listing import SessionLists
from shared.sessions.model import Access, Session
from shared.sessions.service import NewSession, Sessions
from shared.sessions.store import SessionStore
from shared.settings import Settings
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.support.connections import RecordingConnections


@dataclass
class Team:
    """One tenant's sessions in one environment; `clock` is added to the time."""

    settings: Settings
    scope: TenantScope
    clock: list[float] = field(default_factory=lambda: [0.0])

    def __post_init__(self) -> None:
        self.realtime = Realtime.from_settings(self.settings)
        self.store = SessionStore(self.realtime.redis, self.realtime.due, self.realtime.delivery, self.now)
        self.access = SessionAccess(self.store)
        self.files = FileStore(self.realtime.redis, self.realtime.due, self.realtime.delivery, self.now)
        self.audience = Audience(self.store, self.realtime.channels, self.files.channels_of)
        self.sessions = Sessions(self.store, self.access, self.audience, self.settings)
        self.lists = SessionLists(self.store)
        self.expiry = SessionExpiry(self.store, self.audience)

    def now(self) -> float:
        return time.time() + self.clock[0]

    def now_ms(self) -> int:
        return int(self.now() * 1000)

    def later(self, seconds: float) -> None:
        self.clock[0] += seconds

    def identity(self, user: str = "ann", *permissions: Permission) -> Identity:
        granted = frozenset(permissions or (Permission.READ, Permission.WRITE))
        issued = int(time.time()) - 1
        return Identity(self.scope, user, granted, f"of-{user}", issued, issued + 3600, "token")

    def admin(self) -> Identity:
        return self.identity("boss", Permission.ADMIN)

    def create(self, user: str = "ann", **members: Any) -> Session:
        new = NewSession(**{"data": {}, "ttl_s": 100, "lifetime_s": 1000, "access": Access(), **members})
        return self.sessions.create(self.identity(user), new, secrets.token_hex(16))

    def limited(self, **limits: int) -> Sessions:
        settings = replace(self.settings, **limits)  # type: ignore[arg-type]
        return Sessions(self.store, self.access, self.audience, settings)

    def events(self, session_id: str) -> list[dict[str, Any]]:
        """What subscribers of the session's channel were told, in order."""
        past = self.realtime.channels.history(self.scope, f"session:{session_id}", limit=-1)
        return [msgspec.json.decode("{" + members + "}")["data"] for _, members in past.publications]

    def listen(self, channel: str, user: str = "ann", *permissions: Permission) -> Socket:
        """A connected client of the user that is subscribed to the channel."""
        connection, connections = f"{user}-{secrets.token_hex(4)}", self.realtime.connections
        request = ConnectRequest(1, connect_extra(connection, 0, 0), None)
        socket = connections.admit_connected(connection, self.identity(user, *permissions), "1.2.3.4", request)
        connections.subscribe(socket, channel, 2, SubscribeOptions())
        return socket

    def other_environment(self) -> "Team":
        return Team(self.settings, self.scope, self.clock)

    def other_tenant(self) -> "Team":
        return Team(self.settings, TenantScope(f"t{secrets.token_hex(6)}", SCOPE_SEAL), self.clock)


@pytest.fixture
def sent() -> Iterator[RecordingConnections]:
    with RecordingConnections() as recorder:
        yield recorder


@pytest.fixture
def team(upstash: ThreadedUpstash, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch) -> Team:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    settings = Settings(
        upstash_redis_rest_url=upstash.rest_url,
        upstash_redis_rest_token=upstash.token,
        connections_endpoint=sent.url,
        send_timeout_ms=400,
        inline_drain_ms=5_000,
    )
    return Team(settings, TenantScope(f"t{secrets.token_hex(6)}", SCOPE_SEAL))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor
