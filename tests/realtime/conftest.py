"""The realtime layer on a real Valkey, with a recorder in place of AWS's @connections."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import redis

from local.redis import ThreadedUpstash, ValkeyServer
from shared.auth.identity import Identity, Permission
from shared.auth.sockets import Socket
from shared.realtime.connections import ConnectRequest, connect_extra
from shared.realtime.protocol import SubscribeOptions
from shared.realtime.realtime import Realtime
from shared.settings import Settings
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.support.connections import RecordingConnections


@dataclass
class World:
    """One tenant with clients to come, in an environment of its own; `queued` are lane messages it would send."""

    realtime: Realtime
    scope: TenantScope
    sent: RecordingConnections
    queued: list[str]

    def identity(self, user: str, *permissions: Permission, ttl_s: int = 3600) -> Identity:
        granted = frozenset(permissions or (Permission.READ, Permission.WRITE))
        now = int(time.time())
        return Identity(
            scope=self.scope,
            user=user,
            permissions=granted,
            session=f"session-of-{user}",
            issued_at=now - 1,
            expires_at=now + ttl_s,
            source="token",
        )

    def client(self, user: str = "ann", *permissions: Permission) -> Socket:
        """A connected client with a connection id of its own."""
        connection = secrets.token_urlsafe(8)
        request = ConnectRequest(1, connect_extra(connection, 0, 0), None)
        identity = self.identity(user, *permissions)
        return self.realtime.connections.admit_connected(connection, identity, "1.2.3.4", request)

    def subscribe(self, socket: Socket, channel: str, cmd: int = 2, **options: object) -> bool:
        chosen = SubscribeOptions(**options)  # type: ignore[arg-type]
        return self.realtime.connections.subscribe(socket, channel, cmd, chosen)

    def publish(self, channel: str, *values: int) -> None:
        for value in values:
            self.realtime.channels.publish(self.scope, channel, str(value).encode())


@pytest.fixture
def server() -> Iterator["redis.Redis"]:
    """A Valkey of its own, for what empties it."""
    with (
        ValkeyServer() as valkey,
        redis.Redis.from_url(valkey.url, decode_responses=True, protocol=2) as client,
    ):
        yield client


@pytest.fixture
def sent() -> Iterator[RecordingConnections]:
    with RecordingConnections() as recorder:
        yield recorder


@pytest.fixture
def world(upstash: ThreadedUpstash, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch) -> World:
    return another_environment(upstash, sent, monkeypatch)


def another_environment(
    upstash: ThreadedUpstash,
    sent: RecordingConnections,
    monkeypatch: pytest.MonkeyPatch,
    scope: TenantScope | None = None,
) -> World:
    """A World as another Lambda environment sees it; a tenant of its own unless `scope` is given."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    settings = Settings(
        upstash_redis_rest_url=upstash.rest_url,
        upstash_redis_rest_token=upstash.token,
        redis_timeout_ms=20_000,
        connections_endpoint=sent.url,
        send_timeout_ms=1_500,
        inline_drain_ms=5_000,
    )
    realtime = Realtime.from_settings(settings)
    queued: list[str] = []
    monkeypatch.setattr(realtime.delivery, "_queue", lambda messages, delay_s: queued.extend(messages))
    return World(realtime, scope or TenantScope(f"t{secrets.token_hex(6)}", SCOPE_SEAL), sent, queued)
