"""A connection's life: admitted, connected, subscribed, refreshed, gone. Each step is one script."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.auth.grants import Grant
from shared.auth.identity import Identity, Permission
from shared.auth.sockets import Socket, Sockets
from shared.errors import InvalidToken
from shared.realtime.claims import withheld
from shared.realtime.delivery import Delivery, user_key
from shared.realtime.departures import Departures
from shared.realtime.namespaces import Namespace, namespace_of, personal_channel
from shared.realtime.protocol import SubscribeOptions, client_info, quoted
from shared.realtime.refusals import refused
from shared.realtime.tally import Delivered
from shared.settings import Settings
from shared.state.client import Argument, Redis
from shared.state.scripts import Script, script
from shared.tenant.scope import TenantScope

LEASE_MS: Final = 540_000
# Leases that end before the sweep after the next are kept alive now.
KEPT_ALIVE_AHEAD_MS: Final = 130_000
GRACE_S: Final = 25
_TOLD_WITHIN_S: Final = 2.0
_CHANNELS_REMEMBERED: Final = 10_000
# The SDKs' getState: an unrecoverable position is answered by error 112.
_GET_STATE: Final = 2
# Epochs are ours (delivery.py); what a client sends for one may be anything, and goes into a text of lines.
_EPOCH: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NO_EPOCH: Final = "?"
_LETTERS: Final = {
    Permission.READ: "r",
    Permission.WRITE: "w",
    Permission.EXECUTE: "x",
    Permission.ADMIN: "a",
}
READ: Final = _LETTERS[Permission.READ]
_CONNECT, _SUBSCRIBE, _UNSUBSCRIBE, _REFRESH, _SUB_REFRESH, _PUBLISH, _CHECK = (
    script(__file__, name)
    for name in ("connect", "subscribe", "unsubscribe", "refresh", "sub_refresh", "client_publish", "check")
)


@dataclass(frozen=True)
class ConnectRequest:
    """What the `connect` command says that matters here; `app` is JSON of the app's name and version."""

    cmd: int
    extra: str
    since: SubscribeOptions | None
    app: str = ""


class Connections:
    """Every operation on one connection; a refusal is raised as an error of the catalogue."""

    def __init__(self, redis: Redis, sockets: Sockets, delivery: Delivery, settings: Settings) -> None:
        self._redis = redis
        self._sockets = sockets
        self._delivery = delivery
        self._settings = settings
        # Its user's channel, which each connection is in, is one more.
        self._max_channels = settings.max_channels_per_connection + 1
        self._departures = Departures(redis, delivery)
        # Where newcomers go in channels of several lanes; the script corrects what is out of date.
        self._roomy: dict[tuple[str, str], int] = {}

    def admit(self, connection: str, identity: Identity, address: str) -> Socket:
        """Takes a socket in within the caps, before it has said `connect`."""
        return self._open(connection, identity, address, None)

    def admit_connected(self, connection: str, identity: Identity, address: str, request: ConnectRequest) -> Socket:
        """Takes in a socket whose first frame brought the token; its reply comes through its personal channel."""
        return self._open(connection, identity, address, request)

    def connect(self, socket: Socket, request: ConnectRequest) -> None:
        """`connect` on a socket that was admitted with its handshake."""
        self._attach(socket, request, {"admit": 0}, ())

    def _open(self, connection: str, identity: Identity, address: str, request: ConnectRequest | None) -> Socket:
        socket, recording = self._sockets.writing(connection, identity, address)
        admission: dict[str, Argument] = {
            "admit": 1,
            "permissions": "".join(sorted(_LETTERS[permission] for permission in identity.permissions)),
            "expires": identity.expires_at,
            "issued": identity.issued_at,
            "address": address,
        }
        self._attach(socket, request, admission, [recording])
        self._sockets.remember(socket)
        return socket

    def _attach(
        self,
        socket: Socket,
        request: ConnectRequest | None,
        admission: dict[str, Argument],
        recording: Sequence[Sequence[Argument]],
    ) -> None:
        event = self._delivery.event(socket.scope, personal_channel(socket.user))
        limits = self._settings
        args: dict[str, Argument] = {
            **event.args,
            "conn": socket.connection,
            "session": socket.session,
            "permissions": "",
            "expires": 0,
            "issued": 0,
            "address": "",
            **admission,
            "attach": int(request is not None),
            "lease_ms": LEASE_MS,
            "max_tenant": limits.max_connections_per_tenant,
            "max_user": limits.max_connections_per_user,
            "max_address": limits.max_connections_per_address,
            "info": client_info(socket.user, socket.connection),
            "cmd": request.cmd if request else 0,
            "extra": request.extra if request else "",
            "app": request.app if request else "",
            **_wanted(request.since if request else None, namespace_of(event.channel)),
        }
        keys = {**event.keys, "addresses": socket.scope.key("addresses")}
        before = [*recording, *event.before, *self._delivery.note_lease(socket.scope, LEASE_MS - KEPT_ALIVE_AHEAD_MS)]
        *earlier, (status, *rest) = self._redis.run_after(before, _CONNECT, keys, args)
        if status != "ok":
            raise refused(status)
        if recording and self._sockets.is_anothers(socket, earlier[0]):
            self._delivery.finish(event, withheld(rest[0], socket.connection))
            self.disconnect(socket)
            raise InvalidToken("this socket is another user's")
        self._delivery.finish(event, rest[0])

    def subscribe(
        self, socket: Socket, channel: str, cmd: int, options: SubscribeOptions, grant: Grant | None = None
    ) -> bool:
        """Joins a channel; the reply comes from the lane's holder. False when a later command overtook this one.

        With a `grant` it is until its end.
        """
        args: dict[str, Argument] = {
            **self._frame(socket, Permission.READ),
            "cmd": cmd,
            "kind": "g" if options.flag & _GET_STATE else "s",
            "lane_size": self._settings.lane_size,
            "max_channels": self._max_channels,
            "info": client_info(socket.user, socket.connection, grant.info if grant else ""),
            "ends": _end(grant) if grant else "",
            "extra": _members(lifetime(grant.expires_at, time.time()) if grant else {}),
            **_wanted(options, namespace_of(channel)),
        }
        status, _ = self._in_its_lane(_SUBSCRIBE, socket, channel, args)
        if status not in ("ok", "stale"):
            raise refused(status)
        return status == "ok"

    def subscribe_by_server(
        self, socket: Socket, channel: str, options: SubscribeOptions, info: str = "", data: str = ""
    ) -> bool:
        """Has the connection hear the channel; a push tells it. False when it has gone."""
        args: dict[str, Argument] = {
            **self._frame(socket, Permission.READ),
            "need": "",
            "cmd": "",
            "kind": "p",
            "lane_size": self._settings.lane_size,
            "max_channels": self._max_channels,
            "info": client_info(socket.user, socket.connection, info),
            "ends": "",
            "extra": f'"data":{data}' if data else "",
            **_wanted(options, namespace_of(channel)),
        }
        status, _ = self._in_its_lane(_SUBSCRIBE, socket, channel, args)
        if status == "full":
            raise refused(status)
        return status == "ok"

    def sub_refresh(self, socket: Socket, grant: Grant) -> None:
        """Goes on in the grant's channel until the grant's end."""
        args: dict[str, Argument] = {
            "conn": socket.connection,
            "session": socket.session,
            "need": READ,
            "ends": _end(grant),
        }
        status, _ = self._in_its_lane(_SUB_REFRESH, socket, grant.channel, args)
        if status != "ok":
            raise refused(status)

    def unsubscribe_by_server(self, sockets: Iterable[Socket], channel: str) -> int:
        """Takes connections out of the channel, which their lanes' holders tell them; returns how many were in it."""
        lanes: Counter[tuple[TenantScope, int]] = Counter()
        for socket in sockets:
            args: dict[str, Argument] = {"conn": socket.connection, "session": socket.session, "cmd": ""}
            status, lane = self._in_its_lane(_UNSUBSCRIBE, socket, channel, args)
            lanes[socket.scope, lane] += status == "ok"
        for scope, lane in +lanes:
            self._delivery.wake(scope, channel, time.monotonic() + _TOLD_WITHIN_S, lane)
        return lanes.total()

    def _in_its_lane(self, what: Script, socket: Socket, channel: str, args: Mapping[str, Argument]) -> tuple[str, int]:
        """Runs a script in the connection's lane, which the script knows better; returns its status, and the lane."""
        known, lane = (socket.scope.label, channel), 0
        while True:
            event = self._delivery.event(socket.scope, channel, lane=lane or self._roomy.get(known, 1))
            keys = {**event.lane_keys, "user": user_key(socket.scope, socket.user)}
            status, *rest = self._redis.run(what, keys, {**event.lane_args, **args}, before=event.before)
            if status not in ("lane", "own"):
                break
            lane = int(rest[0])
            if status == "lane":
                self._remember_roomy(known, lane)
        if rest:
            self._delivery.finish(event, rest[0])
        return str(status), event.lane

    def _remember_roomy(self, known: tuple[str, str], lane: int) -> None:
        if len(self._roomy) >= _CHANNELS_REMEMBERED:
            self._roomy.clear()
        self._roomy[known] = lane

    def unsubscribe(self, socket: Socket, channel: str, cmd: int) -> None:
        args: dict[str, Argument] = {"conn": socket.connection, "session": socket.session, "cmd": cmd}
        status, _ = self._in_its_lane(_UNSUBSCRIBE, socket, channel, args)
        if status not in ("ok", "stale"):
            raise refused(status)

    def publish(self, socket: Socket, channel: str, body: str) -> Delivered:
        """Appends a publication of this client; `body` as protocol.publication_body makes it."""
        event = self._delivery.event(socket.scope, channel)
        keys = {**event.keys, "user": user_key(socket.scope, socket.user)}
        args: dict[str, Argument] = {
            **event.args,
            **self._frame(socket, Permission.WRITE),
            "subscribers_only": 1,
            "body": body,
        }
        status, *rest = self._redis.run(_PUBLISH, keys, args, before=event.before)
        if status != "ok":
            raise refused(status)
        return self._delivery.finish(event, rest[2])

    def check(self, socket: Socket, need: Permission) -> None:
        """Raises unless the connection may do this now: it is connected, not expired or revoked, and permitted."""
        args = {"conn": socket.connection, "session": socket.session, "need": _LETTERS[need]}
        status = self._redis.run(_CHECK, {"user": user_key(socket.scope, socket.user)}, args, idempotent=True)
        if status != "ok":
            raise refused(status)

    def identity(self, socket: Socket) -> Identity:
        """Who the connection is, by its record; `check` and every frame's script say whether it may still act."""
        (identity,) = self.identities([socket])
        if identity is None:
            raise refused("gone")
        return identity

    def identities(self, sockets: Sequence[Socket]) -> list[Identity | None]:
        """Who each connection is, None for one that is gone, in one round trip."""
        asked: list[list[Argument]] = [
            ["HMGET", user_key(socket.scope, socket.user), f"c:{socket.connection}"] for socket in sockets
        ]
        held = self._redis.pipeline(asked, idempotent=True)
        for record in held:
            if isinstance(record, Exception):
                raise record
        return [_identity(socket, *record) for socket, record in zip(sockets, held, strict=True)]

    def refresh(self, socket: Socket, identity: Identity, may_hear: Callable[[str], bool] | None = None) -> None:
        """Goes on under a newer token of the same user and tenant, in the channels that it `may_hear` (None: in all).

        Rights are taken at once, but its time is extended only when it is out of what they had opened.
        """
        doubtful = self._refreshed(socket, identity, look=may_hear is not None)
        if may_hear is None or not doubtful:
            return
        for channel in doubtful:
            if not may_hear(channel):
                self.unsubscribe_by_server([socket], channel)
        self._refreshed(socket, identity, look=False)

    def _refreshed(self, socket: Socket, identity: Identity, *, look: bool) -> Sequence[str]:
        """Channels to look at before it is extended."""
        args: dict[str, Argument] = {
            "conn": socket.connection,
            "session": socket.session,
            "permissions": "".join(sorted(_LETTERS[permission] for permission in identity.permissions)),
            "expires": identity.expires_at,
            "issued": identity.issued_at,
            "new_session": identity.session,
            "lease_ms": LEASE_MS,
            "personal": personal_channel(socket.user),
            "look": int(look),
        }
        keys = {"user": user_key(socket.scope, socket.user), "leases": socket.scope.key("leases")}
        status, *doubtful = self._redis.run(_REFRESH, keys, args, idempotent=True)
        if status != "ok":
            raise refused(status)
        return [str(channel) for channel in doubtful]

    def disconnect(self, socket: Socket, *, if_lease_ended: bool = False, comes_back: bool = False) -> bool:
        """Forgets the connection and leaves its channels; False when there was none, or its lease goes on."""
        return self._departures.disconnect(socket, if_lease_ended=if_lease_ended, comes_back=comes_back)

    def _frame(self, socket: Socket, need: Permission) -> dict[str, Argument]:
        return {
            "conn": socket.connection,
            "session": socket.session,
            "need": _LETTERS[need],
            "lease_ms": LEASE_MS,
        }


def _identity(socket: Socket, record: str | None) -> Identity | None:
    if not record:
        return None
    _, letters, expires, session, issued, *_ = record.split("\n")
    granted = frozenset(permission for permission, letter in _LETTERS.items() if letter in letters)
    return Identity(
        scope=socket.scope,
        user=socket.user,
        permissions=granted,
        session=session,
        issued_at=int(issued),
        expires_at=int(expires),
        source="token",
    )


def _wanted(options: SubscribeOptions | None, namespace: Namespace) -> dict[str, Argument]:
    joins = namespace.force_push_join_leave or (options is not None and options.join_leave)
    if options is None or not options.recover:
        return {"want_epoch": "", "want_offset": "", "jl": int(joins)}
    known = namespace.recoverable and _EPOCH.fullmatch(options.epoch)
    return {"want_epoch": options.epoch if known else _NO_EPOCH, "want_offset": options.offset, "jl": int(joins)}


def connect_extra(socket_id: str, expires_at: int, now: float) -> str:
    """The connect reply's members that do not come from the personal channel."""
    return _members({"client": socket_id, "version": "Traffic Cop", **lifetime(expires_at, now)})


def lifetime(expires_at: int, now: float) -> dict[str, Any]:
    """How a reply shows when a token ends (unix s, 0 never): its SDK asks for another one `ttl` seconds later."""
    return {"expires": True, "ttl": max(1, int(expires_at - now))} if expires_at else {}


def _members(shown: dict[str, Any]) -> str:
    return quoted(shown)[1:-1]


def _end(grant: Grant) -> Argument:
    return (grant.expires_at + GRACE_S) * 1000 if grant.expires_at else ""
