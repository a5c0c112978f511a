"""What each command of the client protocol does; `connect` and `subscribe` are answered by their lanes."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import msgspec

from functions.message import rpc
from shared.auth.grants import Grant
from shared.auth.identify import Authenticator
from shared.auth.identity import Identity, Permission
from shared.auth.sockets import Socket
from shared.auth.subscription_tokens import SubscriptionTokens
from shared.errors import (
    InvalidToken,
    LimitReached,
    MethodNotFound,
    NoTenant,
    PermissionDenied,
    TokenExpired,
    TooLarge,
)
from shared.realtime.connections import ConnectRequest, connect_extra, lifetime
from shared.realtime.namespaces import Namespace, check_name, namespace_of, personal_channel, thing_of
from shared.realtime.protocol import (
    BAD_REQUEST,
    CONNECTION_LIMIT,
    INVALID_TOKEN,
    Command,
    Connect,
    History,
    Ping,
    Presence,
    PresenceStats,
    Publish,
    Refresh,
    Rpc,
    SubRefresh,
    Subscribe,
    Unsubscribe,
    client_info,
    publication,
    publication_body,
    quoted,
    reply,
)
from shared.realtime.realtime import Realtime
from shared.realtime.refusals import NotConnectedYet

MAX_PUBLICATION_BYTES: Final = 28 * 1024
_MAX_REPLY_BYTES: Final = 100_000
_MAX_APP_CHARACTERS: Final = 64
# A frame may overtake the `connect` of its connection by this much.
_OVERTAKING_S: Final = 2.0
_FIRST_WAIT_S: Final = 0.02

MayRead = Callable[[Identity, str], bool]
_Result = Mapping[str, Any]


@dataclass(frozen=True)
class Caller:
    """The connection that a frame came from, its source address, and how long the frame may wait for its `connect`."""

    connection: str
    address: str
    waits_until: float = field(default_factory=lambda: time.monotonic() + _OVERTAKING_S)


class Commands:
    """Runs one command and returns its reply, or None when the reply goes another way.

    `may_read` decides on subscriptions to things that have a channel: `session` and `file`.
    """

    def __init__(
        self,
        realtime: Realtime,
        authenticator: Authenticator,
        subscription_tokens: SubscriptionTokens,
        may_read: Mapping[str, MayRead],
    ) -> None:
        self._sockets = realtime.sockets
        self._connections = realtime.connections
        self._channels = realtime.channels
        self._authenticator = authenticator
        self._subscription_tokens = subscription_tokens
        self._may_read = may_read

    def run(self, caller: Caller, command: Command) -> str | None:
        """Raises errors of the catalogue for an error reply, ServerDisconnect to end the connection."""
        if command.send is not None:
            return None
        if command.rpc is not None and command.rpc.method == "ping":
            return reply(command.id, "rpc", {"data": {}})
        if command.connect is not None:
            self._connect(caller, command.id, command.connect)
            return None
        socket = self._found(caller)
        if socket is None:
            raise BAD_REQUEST
        return self._run_connected(socket, command, caller.waits_until)

    def forget(self, caller: Caller) -> None:
        """The connection is about to be closed."""
        socket = self._sockets.find(caller.connection)
        if socket is not None:
            self._connections.disconnect(socket)

    def _run_connected(self, socket: Socket, command: Command, until: float) -> str | None:
        run: Callable[[Socket, int, Any], _Result | None] = getattr(self, f"_{command.method}")
        while True:
            try:
                result = run(socket, command.id, getattr(command, command.method))
                return None if result is None else reply(command.id, command.method, result)
            except NotConnectedYet:
                if time.monotonic() > until:
                    raise
                time.sleep(_FIRST_WAIT_S * 2)

    def _found(self, caller: Caller) -> Socket | None:
        pause = _FIRST_WAIT_S
        while (socket := self._sockets.find(caller.connection)) is None and time.monotonic() < caller.waits_until:
            time.sleep(pause)
            pause *= 2
        return socket

    def _connect(self, caller: Caller, cmd: int, asked: Connect) -> None:
        socket = self._sockets.find(caller.connection)
        if socket is None:
            self._connect_first_frame(caller, cmd, asked)
            return
        identity = self._same(socket, asked.token) if asked.token else None
        expires_at = identity.expires_at if identity else socket.expires_at
        self._connections.connect(socket, _connect_request(cmd, asked, socket.connection, socket.user, expires_at))
        if identity is not None and identity.expires_at != socket.expires_at:
            self._connections.refresh(socket, identity)

    def _connect_first_frame(self, caller: Caller, cmd: int, asked: Connect) -> None:
        if not asked.token:
            # The SDKs fetch a token when they are told that theirs expired, and only then.
            raise TokenExpired("connect with a token")
        identity = self._first_identity(caller.connection, asked)
        if not identity.permissions:
            raise PermissionDenied("the token grants no permission")
        request = _connect_request(cmd, asked, caller.connection, identity.user, identity.expires_at)
        try:
            self._connections.admit_connected(caller.connection, identity, caller.address, request)
        except LimitReached:
            raise CONNECTION_LIMIT from None

    def _first_identity(self, connection: str, asked: Connect) -> Identity:
        """A user of several tenants chooses with `connect`'s data, or chose with the handshake."""
        try:
            return self._authenticator.from_token(asked.token, _chosen_tenant(asked))
        except NoTenant:
            chosen = self._sockets.choice(connection)
            if chosen is None or _chosen_tenant(asked):
                raise
            return self._authenticator.from_token(asked.token, chosen)

    def _subscribe(self, socket: Socket, cmd: int, asked: Subscribe) -> _Result | None:
        options = _options(asked.channel)
        if thing_of(asked.channel, "user") is not None:
            raise PermissionDenied("only the server subscribes to this channel")
        grant = self._opened_by(socket, asked.token, asked.channel) if asked.token else None
        if grant is None and (options.subscription_token or not options.allow_subscribe_for_client):
            raise PermissionDenied("this channel needs a subscription token")
        self._require_readable(socket, asked.channel)
        if not self._connections.subscribe(socket, asked.channel, cmd, asked, grant):
            return {}
        return None

    def _opened_by(self, socket: Socket, token: str, channel: str) -> Grant:
        """A bad token costs the channel only; under `sub_refresh` it ends the connection."""
        try:
            return self._grant(socket, token, channel)
        except InvalidToken as error:
            raise PermissionDenied(error.detail) from None

    def _grant(self, socket: Socket, token: str, channel: str) -> Grant:
        return self._subscription_tokens.verify(token, socket.scope, socket.user, channel)

    def _may_hear(self, identity: Identity, channel: str) -> bool:
        return identity.allows(Permission.READ) and self._readable(channel, lambda: identity)

    def _require_readable(self, socket: Socket, channel: str) -> None:
        """By every command that shows something of the channel: a subscription may outlive the right to it."""
        if not self._readable(channel, lambda: self._connections.identity(socket)):
            raise PermissionDenied("no such thing, or not yours to read")

    def _readable(self, channel: str, identity: Callable[[], Identity]) -> bool:
        """Channels of things are for those who may read the thing."""
        for kind in ("session", "file"):
            thing = thing_of(channel, kind)
            if thing is not None:
                may_read = self._may_read.get(kind)
                return may_read is not None and may_read(identity(), thing)
        return True

    def _unsubscribe(self, socket: Socket, cmd: int, asked: Unsubscribe) -> _Result:
        channel = check_name(asked.channel)
        if channel != personal_channel(socket.user):
            self._connections.unsubscribe(socket, channel, cmd)
        return {}

    def _publish(self, socket: Socket, cmd: int, asked: Publish) -> _Result:
        if not _options(asked.channel).allow_publish_for_subscriber:
            raise PermissionDenied("only the server publishes to this channel")
        data = bytes(asked.data)
        if len(data) > MAX_PUBLICATION_BYTES:
            raise TooLarge(f"a publication's data is at most {MAX_PUBLICATION_BYTES} bytes over WebSocket")
        body = publication_body(data, client_info(socket.user, socket.connection))
        self._connections.publish(socket, asked.channel, body)
        return {}

    def _presence(self, socket: Socket, cmd: int, asked: Presence) -> _Result:
        channel = self._allowed_presence(socket, asked.channel)
        members = self._channels.presence(socket.scope, channel, on_behalf=socket)
        return {"presence": members}

    def _presence_stats(self, socket: Socket, cmd: int, asked: PresenceStats) -> _Result:
        channel = self._allowed_presence(socket, asked.channel)
        stats = self._channels.presence_stats(socket.scope, channel, on_behalf=socket)
        return stats

    def _allowed_presence(self, socket: Socket, channel: str) -> str:
        if not _options(channel).allow_presence_for_subscriber:
            raise PermissionDenied("presence is not for clients here")
        self._require_readable(socket, channel)
        return channel

    def _history(self, socket: Socket, cmd: int, asked: History) -> _Result:
        if not _options(asked.channel).allow_history_for_subscriber:
            raise PermissionDenied("history is not for clients here")
        self._require_readable(socket, asked.channel)
        return self._past(socket, asked)

    def _past(self, socket: Socket, asked: History) -> dict[str, Any]:
        found = self._channels.history(
            socket.scope,
            asked.channel,
            limit=asked.limit,
            since=asked.since,
            reverse=asked.reverse,
            on_behalf=socket,
        )
        size, shown = 0, []
        for offset, body in found.publications:
            size += len(body.encode())
            if size > _MAX_REPLY_BYTES:
                break
            shown.append(msgspec.Raw(publication(offset, body).encode()))
        return {"publications": shown, "epoch": found.epoch, "offset": found.offset}

    def _ping(self, socket: Socket, cmd: int, asked: Ping) -> _Result:
        return {}

    def _rpc(self, socket: Socket, cmd: int, asked: Rpc) -> _Result:
        method = rpc.METHODS.get(asked.method)
        if method is None:
            raise MethodNotFound(f"no rpc method {asked.method!r}")
        self._connections.check(socket, Permission.EXECUTE)
        return {"data": method(socket, asked.data)}

    def _refresh(self, socket: Socket, cmd: int, asked: Refresh) -> _Result:
        identity = self._same(socket, asked.token)
        self._connections.refresh(socket, identity, partial(self._may_hear, identity))
        shown = {"client": socket.connection, "version": "Traffic Cop", **lifetime(identity.expires_at, time.time())}
        return shown

    def _sub_refresh(self, socket: Socket, cmd: int, asked: SubRefresh) -> _Result:
        """Without a channel it is the token's."""
        grant = self._grant(socket, asked.token, asked.channel)
        check_name(grant.channel)
        self._connections.sub_refresh(socket, grant)
        return lifetime(grant.expires_at, time.time())

    def _same(self, socket: Socket, token: str) -> Identity:
        """The token's identity, which must be the socket's user and tenant."""
        if not token:
            raise InvalidToken("a token is needed")
        try:
            identity = self._authenticator.from_token(token, socket.scope.label)
        except NoTenant:
            raise INVALID_TOKEN from None
        if identity.user != socket.user:
            raise INVALID_TOKEN
        return identity


def _options(channel: str) -> Namespace:
    return namespace_of(check_name(channel))


def _chosen_tenant(asked: Connect) -> str | None:
    """`data: {"tenant": …}`, since a first frame has no headers."""
    try:
        data = msgspec.json.decode(asked.data)
    except msgspec.MsgspecError:
        return None
    chosen = data.get("tenant") if isinstance(data, dict) else None
    return chosen if isinstance(chosen, str) else None


def _connect_request(cmd: int, asked: Connect, connection: str, user: str, expires_at: int) -> ConnectRequest:
    since = asked.subs.get(personal_channel(user))
    app = [text[:_MAX_APP_CHARACTERS] for text in (asked.name, asked.version)]
    return ConnectRequest(
        cmd, connect_extra(connection, expires_at, time.time()), since, quoted(app) if any(app) else ""
    )
