"""Channels of one tenant as the server sees them: publish, who is there, what was said, who must go."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from shared.auth.identity import Identity
from shared.auth.sockets import Socket, Sockets
from shared.errors import LimitReached, NotAvailable, TooLarge, UnrecoverablePosition
from shared.realtime.connections import READ, Connections
from shared.realtime.delivery import Delivery, Lane, channel_keys, lane_key, new_epoch, user_key
from shared.realtime.namespaces import namespace_of
from shared.realtime.protocol import Position, ServerDisconnect, SubscribeOptions, publication_body
from shared.realtime.refusals import ConnectionGone, refused
from shared.realtime.roster import Roster
from shared.realtime.tally import Delivered
from shared.state.client import Argument, Redis
from shared.state.scripts import script
from shared.tenant.scope import TenantScope

MAX_PRESENCE: Final = 500
MAX_PUBLICATION_BYTES: Final = 65_536
_MAX_TAGS_BYTES: Final = 4_096
_IDEMPOTENCY_MS: Final = 300_000
_EVERYBODY: Final = 1_000_000
_LEAVING_AT_ONCE: Final = 100
_PUBLISH, _PRESENCE, _HISTORY, _HISTORY_REMOVE = (
    script(__file__, name) for name in ("publish", "presence", "history", "history_remove")
)


@dataclass(frozen=True)
class Published:
    """Where a publication stands in its channel's log, and how its delivery went."""

    offset: int
    epoch: str
    delivery: Delivered


@dataclass(frozen=True)
class PastPublications:
    """A piece of history: (offset, members of the publication's JSON object), and the log's top."""

    offset: int
    epoch: str
    publications: list[tuple[int, str]]


class Channels:
    """Operations on any channel of a scope. Callers have checked who asks; `on_behalf` checks a client's frame."""

    def __init__(
        self, redis: Redis, sockets: Sockets, delivery: Delivery, connections: Connections, roster: Roster
    ) -> None:
        self._redis = redis
        self._sockets = sockets
        self._delivery = delivery
        self._connections = connections
        self._roster = roster

    def publish(
        self,
        scope: TenantScope,
        channel: str,
        data: bytes,
        *,
        tags: Mapping[str, str] | None = None,
        idempotency_key: str = "",
        skip_history: bool = False,
        version: int = 0,
        version_epoch: str = "",
    ) -> Published:
        """Appends `data` (JSON text, ≤ 64 KB) and delivers it; once per idempotency key within five minutes.

        With a `version` only if it is above the channel's last one (of the same epoch of versions, if one is given).
        """
        body = publication_body(msgspec.json.format(data, indent=-1), tags=dict(tags) if tags else None)
        if len(data) > MAX_PUBLICATION_BYTES or len(body.encode()) > MAX_PUBLICATION_BYTES + _MAX_TAGS_BYTES:
            raise TooLarge("a publication's data is at most 64 KB, its tags 4 KB")
        event = self._delivery.event(scope, channel)
        args: dict[str, Argument] = {
            **event.args,
            "body": body,
            "idempotency_ms": _IDEMPOTENCY_MS if idempotency_key else 0,
            "kind": "msg" if skip_history else "pub",
            "version": version or "",
            "version_epoch": version_epoch,
        }
        keys = {**event.keys, "idempotency": scope.key("published", channel, idempotency_key)}
        offset, epoch, claim = self._redis.run(
            _PUBLISH, keys, args, before=event.before, idempotent=bool(idempotency_key)
        )
        return Published(offset, epoch, self._delivery.finish(event, claim))

    def presence(self, scope: TenantScope, channel: str, on_behalf: Socket | None = None) -> dict[str, Any]:
        """Info of each member by its connection. Raises LimitReached above 500."""
        count, members = self._members(scope, channel, on_behalf, MAX_PRESENCE)
        if count > MAX_PRESENCE:
            raise LimitReached(f"more than {MAX_PRESENCE} members: ask for presence_stats")
        return members

    def members(self, scope: TenantScope, channel: str) -> dict[str, Any]:
        """Info of each member by its connection, however many."""
        return self._members(scope, channel, None, _EVERYBODY)[1]

    def presence_stats(self, scope: TenantScope, channel: str, on_behalf: Socket | None = None) -> dict[str, int]:
        """How many clients and how many users are in the channel."""
        count, members = self._members(scope, channel, on_behalf, _EVERYBODY)
        users = {member["user"] for member in members.values()}
        return {"num_clients": count, "num_users": len(users)}

    def history(
        self,
        scope: TenantScope,
        channel: str,
        *,
        limit: int,
        since: Position | None = None,
        reverse: bool = False,
        on_behalf: Socket | None = None,
    ) -> PastPublications:
        """Publications after `since` (before it in reverse); limit 0 gives the position only, negative all."""
        options = namespace_of(channel)
        if not options.has_history:
            raise NotAvailable("history is off for this channel")
        keys = {**channel_keys(scope, channel), **self._asking_key(scope, on_behalf)}
        args: dict[str, Argument] = {
            **self._asking(channel, on_behalf),
            "birth": new_epoch(),
            "since_offset": "" if since is None else since.offset,
            "since_epoch": "" if since is None else since.epoch,
            "limit": limit,
            "reverse": int(reverse),
            "history_size": options.shown_size,
            "history_ttl_ms": options.shown_ms,
        }
        status, *rest = self._redis.run(_HISTORY, keys, args, idempotent=True)
        if status == "unrecoverable":
            raise UnrecoverablePosition()
        if status != "ok":
            raise refused(status)
        found = [(rest[i], rest[i + 1]) for i in range(2, len(rest), 2)]
        return PastPublications(rest[0], rest[1], found)

    def remove_history(self, scope: TenantScope, channel: str) -> None:
        """Forgets the publications so far; what is still on its way to somebody goes with later ones."""
        if not namespace_of(channel).has_history:
            raise NotAvailable("history is off for this channel")
        self._redis.run(_HISTORY_REMOVE, channel_keys(scope, channel), idempotent=True)

    def subscribe_user(
        self,
        scope: TenantScope,
        user: str,
        channel: str,
        options: SubscribeOptions,
        *,
        client: str = "",
        info: str = "",
        data: str = "",
    ) -> int:
        """Has the user's connections (only `client`, if given) hear the channel; returns how many do.

        `info` (shown to others) and `data` (for the client) are JSON texts of one line, or empty.
        """
        found = self._roster.sockets_of(scope, user, client)
        return sum(self._connections.subscribe_by_server(socket, channel, options, info, data) for socket in found)

    def unsubscribe_user(self, scope: TenantScope, user: str, channel: str, *, client: str = "") -> int:
        """Takes the user's connections (only `client`, if given) out of the channel; returns how many were in it."""
        return self._connections.unsubscribe_by_server(self._roster.sockets_of(scope, user, client), channel)

    def settle(self, scope: TenantScope, channel: str, until: float) -> bool:
        """Sees to it that all members have got what was said so far; False when time was up before."""
        count, lanes, _ = self._lane_members(scope, channel, 1, None, 0)
        if not count and lanes == 1:
            return True
        return all(self._delivery.settle(scope, Lane(channel, number), until) for number in range(1, lanes + 1))

    def unsubscribe_unless(
        self, scope: TenantScope, channel: str, may_stay: Callable[[Identity], bool], until: float
    ) -> bool:
        """Takes out of the channel whoever may not stay; False when time was up before (`until`: time.monotonic)."""
        members = list(self.members(scope, channel))
        for start in range(0, len(members), _LEAVING_AT_ONCE):
            if time.monotonic() >= until:
                return False
            sockets = self._roster.owned(scope, members[start : start + _LEAVING_AT_ONCE])
            identities = self._connections.identities(sockets)
            leaving = [
                socket
                for socket, identity in zip(sockets, identities, strict=True)
                if identity is not None and not may_stay(identity)
            ]
            self._connections.unsubscribe_by_server(leaving, channel)
        return True

    def disconnect(self, scope: TenantScope, connection: str, why: ServerDisconnect) -> bool:
        """Closes one connection of the scope with the code; False when it has none of that id."""
        socket = self._sockets.find(connection)
        if socket is None or socket.scope != scope:
            return False
        known = self._connections.disconnect(socket)
        self._delivery.close([connection], why)
        return known

    def disconnect_user(
        self,
        scope: TenantScope,
        user: str,
        why: ServerDisconnect,
        *,
        client: str = "",
        session: str = "",
        issued_before: int | None = None,
        spared: frozenset[str] = frozenset(),
    ) -> int:
        """Closes the user's connections, but not the spared; returns how many.

        Only `client`, those of `session`, or those with tokens issued before then (unix s), if given.
        """
        chosen = [
            one.client
            for one in self._roster.of_user(scope, user)
            if one.client not in spared
            and client in ("", one.client)
            and session in ("", one.session)
            and (issued_before is None or one.issued_at < issued_before)
        ]
        return sum(self.disconnect(scope, connection, why) for connection in chosen)

    def refresh_user(self, scope: TenantScope, user: str, expires_at: int, *, client: str = "") -> None:
        """Lets the user's connections (only `client`, if given) go on until then (unix s), past their tokens' end."""
        for socket in self._roster.sockets_of(scope, user, client):
            with suppress(ConnectionGone):
                identity = self._connections.identity(socket)
                self._connections.refresh(socket, replace(identity, expires_at=expires_at))

    def _members(
        self, scope: TenantScope, channel: str, on_behalf: Socket | None, most: int
    ) -> tuple[int, dict[str, Any]]:
        if not namespace_of(channel).presence:
            raise NotAvailable("presence is off for this channel")
        count, lanes, members = self._lane_members(scope, channel, 1, on_behalf, most)
        for lane in range(2, lanes + 1):
            further, _, more = self._lane_members(scope, channel, lane, None, most)
            count, members = count + further, {**members, **more}
        return count, members

    def _lane_members(
        self, scope: TenantScope, channel: str, lane: int, on_behalf: Socket | None, most: int
    ) -> tuple[int, int, dict[str, Any]]:
        """How many members, how many lanes the channel has (said by the first), the members if not too many."""
        keys = {
            "lane": lane_key(scope, channel, lane),
            "leases": scope.key("leases"),
            **self._asking_key(scope, on_behalf),
        }
        args = {**self._asking(channel, on_behalf), "most": most}
        status, *rest = self._redis.run(_PRESENCE, keys, args, idempotent=True)
        if status != "ok":
            raise refused(status)
        count, lanes, *flat = rest
        members = {flat[i]: msgspec.json.decode(flat[i + 1]) for i in range(0, len(flat), 2)}
        return count, lanes, members

    def _asking(self, channel: str, socket: Socket | None) -> dict[str, Argument]:
        """Who asks: a subscriber who may read, or (with an empty connection) the server."""
        asking = (socket.connection, socket.session) if socket else ("", "")
        return {"conn": asking[0], "session": asking[1], "need": READ, "name": channel}

    def _asking_key(self, scope: TenantScope, socket: Socket | None) -> dict[str, Any]:
        return {"user": user_key(scope, socket.user if socket else "")}
