"""Who is connected in a scope, by its leases and the connections' records."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from shared.auth.sockets import Socket, Sockets
from shared.errors import LimitReached
from shared.realtime.delivery import user_key
from shared.realtime.globs import matcher
from shared.state.client import Argument, Redis
from shared.tenant.scope import TenantScope

_LOOKED_THROUGH: Final = 10_000
_COUNTED_THROUGH: Final = 1_000
_PAGE: Final = 500
# How the record of a connection begins that is being taken out of its channels.
_GONE: Final = "g\n"


@dataclass(frozen=True)
class ListedConnection:
    """One open connection; times are unix seconds, `session` is the Supabase session of its token."""

    client: str
    user: str
    channels: list[str]
    connected_at: float
    expires_at: int
    session: str
    issued_at: int
    app_name: str
    app_version: str


@dataclass(frozen=True)
class ConnectionPage:
    """A page of connections, and the position after it; empty at the end."""

    items: list[ListedConnection]
    next: str


class Roster:
    """Finds open connections; does nothing to them."""

    def __init__(self, redis: Redis, sockets: Sockets) -> None:
        self._redis = redis
        self._sockets = sockets

    def of_user(self, scope: TenantScope, user: str) -> Iterator[ListedConnection]:
        """The user's open connections."""
        flat = self._redis.call("HGETALL", user_key(scope, user))
        fields = dict(flat) if isinstance(flat, Mapping) else dict(zip(flat[::2], flat[1::2], strict=True))
        for name, record in fields.items():
            if name.startswith("c:") and not record.startswith(_GONE):
                yield _listed(user, name[2:], record, fields.get(f"s:{name[2:]}", ""))

    def with_sessions(self, scope: TenantScope, sessions: frozenset[str]) -> set[tuple[str, str]]:
        """The users and Supabase sessions, of those, whose tokens opened connections.

        Raises LimitReached where there are too many connections to look through.
        """
        self._refuse_too_many(scope)
        found = self.owned(scope, self._redis.call("ZRANGE", scope.key("leases"), 0, -1))
        return {(one.user, one.session) for one in found if one.session in sessions}

    def sockets_of(self, scope: TenantScope, user: str, client: str) -> list[Socket]:
        """The sockets of the user's connections, or of the one named."""
        return self.owned(scope, [one.client for one in self.of_user(scope, user) if client in ("", one.client)])

    def owned(self, scope: TenantScope, connections: Sequence[str]) -> list[Socket]:
        """The sockets among those that are the scope's."""
        found = self._sockets.find_many(connections)
        return [socket for socket in found if socket is not None and socket.scope == scope]

    def count(self, scope: TenantScope) -> int:
        """How many connections of the scope are open."""
        return int(self._redis.call("ZCOUNT", scope.key("leases"), int(time.time() * 1000), "+inf"))

    def counts(self, scope: TenantScope) -> dict[str, int]:
        """The same under Centrifugo's name, and what else is counted where looking at each is not too dear."""
        clients = self.count(scope)
        if clients > _COUNTED_THROUGH:
            return {"num_clients": clients}
        found = list(self.everybody(scope))
        channels = Counter(channel for one in found for channel in one.channels)
        return {
            "num_clients": len(found),
            "num_users": len({one.user for one in found}),
            "num_subs": channels.total(),
            "num_channels": len(channels),
        }

    def channels(self, scope: TenantScope, pattern: str = "") -> dict[str, int]:
        """Channels that somebody is in, by how many connections. Raises Invalid for a pattern of too many choices.

        Raises LimitReached where there are too many connections to look through.
        """
        matches = matcher(pattern or "*")
        counted = Counter(channel for one in self.everybody(scope) for channel in one.channels)
        return {channel: count for channel, count in counted.items() if matches(channel)}

    def page(self, scope: TenantScope, position: str, limit: int) -> ConnectionPage:
        """Connections by their id, after `position`; stable while others come and go."""
        flat = self._redis.call("ZRANGE", scope.key("leases"), int(time.time() * 1000), "+inf", "BYSCORE")
        ids = sorted(connection for connection in flat if connection > position)
        chosen = ids[:limit]
        following = chosen[-1] if len(ids) > limit else ""
        return ConnectionPage(self._records(scope, chosen), following)

    def everybody(self, scope: TenantScope) -> Iterator[ListedConnection]:
        """All open connections. Raises LimitReached where there are too many to look through."""
        self._refuse_too_many(scope)
        position = ""
        while True:
            page = self.page(scope, position, _PAGE)
            yield from page.items
            if not page.next:
                return
            position = page.next

    def _refuse_too_many(self, scope: TenantScope) -> None:
        if self.count(scope) > _LOOKED_THROUGH:
            raise LimitReached(f"more than {_LOOKED_THROUGH} connections to look through: name a channel or a user")

    def _records(self, scope: TenantScope, connections: Sequence[str]) -> list[ListedConnection]:
        owned = self.owned(scope, connections)
        asked: list[list[Argument]] = [
            ["HMGET", user_key(scope, socket.user), f"c:{socket.connection}", f"s:{socket.connection}"]
            for socket in owned
        ]
        records = self._redis.pipeline(asked, idempotent=True)
        return [
            _listed(socket.user, socket.connection, record[0], record[1] or "")
            for socket, record in zip(owned, records, strict=True)
            if isinstance(record, list) and record[0] and not record[0].startswith(_GONE)
        ]


def _heard(subscriptions: str) -> Iterator[str]:
    """Channels by the text that auth/lua/subscriptions.lua has; one whose token is over is heard no more."""
    for name, _, subscribed, *more in map(str.split, subscriptions.splitlines()):
        ends = more[1:]
        if subscribed == "1" and not (ends and int(ends[0]) <= time.time() * 1000):
            yield name


def _listed(user: str, connection: str, record: str, subscriptions: str) -> ListedConnection:
    """From the record as auth/lua/connection.lua has it."""
    _, _, expires, session, issued, connected, _, _, app, *_ = record.split("\n")
    app_name, app_version = msgspec.json.decode(app) if app else ("", "")
    return ListedConnection(
        client=connection,
        user=user,
        channels=sorted(_heard(subscriptions)),
        connected_at=int(connected) / 1000,
        expires_at=int(expires),
        session=session,
        issued_at=int(issued),
        app_name=app_name,
        app_version=app_version,
    )
