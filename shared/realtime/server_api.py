"""Centrifugo's server API: its methods and answers, so that its clients work unchanged."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from shared.auth.identity import Identity
from shared.auth.permissions import require_for_api
from shared.auth.revocations import Revocations
from shared.errors import Internal, Invalid, MethodNotFound, TrafficCopError, Unavailable
from shared.observe.log import failed
from shared.realtime import api_requests as ask
from shared.realtime.channels import Channels
from shared.realtime.namespaces import namespace_of
from shared.realtime.protocol import (
    EXPIRED,
    FORCE_DISCONNECT,
    FORCE_RECONNECT,
    ServerDisconnect,
    publication,
)
from shared.realtime.roster import ListedConnection, Roster
from shared.realtime.session_ends import SessionEnds
from shared.state.client import Redis

MAX_COMMANDS: Final = 1_000
# Lambda's answers have at most 6 MB.
MAX_HISTORY_BYTES: Final = 4 * 1024 * 1024
# What is left of the 29 seconds of a request is for the last command.
_BUDGET_S: Final = 20.0
_Answer = dict[str, Any]


class ServerApi:
    """Runs a method for a caller and answers as Centrifugo does: `{"result": …}` or `{"error": {code, message}}`.

    We hand out no client sessions (`session` of requests), so that no connection is meant where one is named.
    """

    def __init__(
        self,
        channels: Channels,
        roster: Roster,
        session_ends: SessionEnds,
        redis: Redis,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channels = channels
        self._roster = roster
        self._session_ends = session_ends
        self._redis = redis
        self._clock = clock
        self._methods: dict[str, Callable[[Identity, bytes], _Answer]] = {
            "publish": self._publish,
            "broadcast": self._broadcast,
            "presence": self._presence,
            "presence_stats": self._presence_stats,
            "history": self._history,
            "history_remove": self._history_remove,
            "channels": self._active_channels,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "disconnect": self._disconnect,
            "refresh": self._refresh,
            "info": self._info,
            "connections": self._connections,
            "block_user": self._block_user,
            "unblock_user": self._unblock_user,
            "revoke_token": self._revoke_token,
            "invalidate_user_tokens": self._invalidate_user_tokens,
        }

    def answer(self, caller: Identity, method: str, body: bytes) -> _Answer:
        """Never raises: a method's failure is its answer."""
        if method == "batch":
            return answered(method, lambda: self._batch(caller, body))
        return answered(method, lambda: {"result": self._run(caller, method, body)})

    def _run(self, caller: Identity, method: str, body: bytes) -> _Answer:
        run = self._methods.get(method)
        if run is None:
            raise MethodNotFound(f"no method {method[:40]!r}")
        require_for_api(caller, method)
        return run(caller, body)

    def _batch(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.Batch = ask.decoded(body, ask.Batch)
        commands = asked.commands or []
        return {"replies": self._each(commands, partial(self._reply, caller))}

    def _reply(self, caller: Identity, command: dict[str, msgspec.Raw]) -> _Answer:
        if len(command) != 1 or "batch" in command:
            raise Invalid("a command of a batch is one method and its request")
        ((method, body),) = command.items()
        return {method: self._run(caller, method, bytes(body))}

    def _publish(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.Publish = ask.decoded(body, ask.Publish)
        return self._published(caller, asked, asked.channel)

    def _broadcast(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.Publish = ask.decoded(body, ask.Publish)
        if not asked.channels:
            raise Invalid("channels are needed")
        asked.json()
        return {"responses": self._each(asked.channels, partial(self._response, caller, asked))}

    def _response(self, caller: Identity, asked: ask.Publish, channel: str) -> _Answer:
        return {"result": self._published(caller, asked, channel)}

    def _published(self, caller: Identity, asked: ask.Publish, channel: str | None) -> _Answer:
        done = self._channels.publish(
            caller.scope,
            ask.named(channel),
            asked.json(),
            tags=asked.tags,
            idempotency_key=asked.key(),
            skip_history=bool(asked.skip_history),
            version=asked.version or 0,
            version_epoch=asked.epoch_of_versions(),
        )
        return {"offset": done.offset, "epoch": done.epoch, "delivery": done.delivery.as_dict()}

    def _presence(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.Named = ask.decoded(body, ask.Named)
        return {"presence": self._channels.presence(caller.scope, asked.name())}

    def _presence_stats(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.Named = ask.decoded(body, ask.Named)
        return dict(self._channels.presence_stats(caller.scope, asked.name()))

    def _history(self, caller: Identity, body: bytes) -> _Answer:
        """As many publications as an answer holds; the next ones are those since the last of them."""
        asked: ask.History = ask.decoded(body, ask.History)
        limit, reverse = asked.limit or 0, bool(asked.reverse)
        found = self._channels.history(caller.scope, asked.name(), limit=limit, since=asked.since, reverse=reverse)
        return {
            "publications": list(_fitting(found.publications)),
            "offset": found.offset,
            "epoch": found.epoch,
        }

    def _history_remove(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.Named = ask.decoded(body, ask.Named)
        self._channels.remove_history(caller.scope, asked.name())
        return {}

    def _active_channels(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.ListChannels = ask.decoded(body, ask.ListChannels)
        counts = self._roster.channels(caller.scope, asked.pattern or "")
        return {"channels": {channel: {"num_clients": count} for channel, count in counts.items()}}

    def _subscribe(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.Subscribe = ask.decoded(body, ask.Subscribe)
        user, channel = asked.name(), ask.named(asked.channel)
        options, info, data = asked.options(namespace_of(channel)), asked.shown_info(), asked.shown_data()
        if not asked.session:
            client = asked.client or ""
            self._channels.subscribe_user(caller.scope, user, channel, options, client=client, info=info, data=data)
        return {}

    def _unsubscribe(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.Unsubscribe = ask.decoded(body, ask.Unsubscribe)
        user, channel = asked.name(), ask.named(asked.channel)
        if not asked.session:
            self._channels.unsubscribe_user(caller.scope, user, channel, client=asked.client or "")
        return {}

    def _disconnect(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.Disconnect = ask.decoded(body, ask.Disconnect)
        self._close(caller, asked, asked.why(), frozenset(asked.whitelist or ()))
        return {}

    def _refresh(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.Refresh = ask.decoded(body, ask.Refresh)
        user, until = asked.name(), asked.expire_at or 0
        if not asked.expired and not until:
            raise Invalid("expired or expire_at is needed")
        if asked.expired or until <= time.time():
            self._close(caller, asked, EXPIRED)
        elif not asked.session:
            self._channels.refresh_user(caller.scope, user, until, client=asked.client or "")
        return {}

    def _info(self, caller: Identity, body: bytes) -> _Answer:
        """The tenant's own numbers, as those of one node."""
        ask.decoded(body, ask.Nothing)
        node = {"uid": caller.scope.label, "name": "traffic-cop", "version": "0.1.0"}
        return {"nodes": [{**node, **self._roster.counts(caller.scope)}]}

    def _connections(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.ListConnections = ask.decoded(body, ask.ListConnections)
        user, scope = asked.whose(), caller.scope
        found = self._roster.of_user(scope, user) if user else self._roster.everybody(scope)
        return {"connections": {one.client: _shown(one) for one in found}}

    def _block_user(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.Block = ask.decoded(body, ask.Block)
        self._revocations(caller).block(asked.name(), asked.expire_at or 0)
        self._close(caller, asked, FORCE_DISCONNECT)
        return {}

    def _unblock_user(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.OfUser = ask.decoded(body, ask.OfUser)
        self._revocations(caller).unblock(asked.name())
        return {}

    def _revoke_token(self, caller: Identity, body: bytes) -> _Answer:
        asked: ask.RevokeToken = ask.decoded(body, ask.RevokeToken)
        self._session_ends.end(caller.scope, asked.session(), asked.user or "", asked.expire_at or 0)
        return {}

    def _invalidate_user_tokens(self, caller: Identity, body: bytes) -> _Answer:
        """Connections come back at once with a newer token, or not at all."""
        asked: ask.InvalidateTokens = ask.decoded(body, ask.InvalidateTokens)
        user, before = asked.name(), asked.issued_before
        self._revocations(caller).revoke_tokens(user, before)
        client = asked.client or ""
        self._channels.disconnect_user(caller.scope, user, FORCE_RECONNECT, client=client, issued_before=before)
        return {}

    def _close(
        self, caller: Identity, whose: ask.OfUser, why: ServerDisconnect, spared: frozenset[str] = frozenset()
    ) -> None:
        user = whose.name()
        if not whose.session:
            self._channels.disconnect_user(caller.scope, user, why, client=whose.client or "", spared=spared)

    def _revocations(self, caller: Identity) -> Revocations:
        return Revocations(self._redis, caller.scope)

    def _each(self, items: Sequence[Any], run: Callable[[Any], _Answer]) -> list[_Answer]:
        """An answer for each; those for which no time is left may be tried again."""
        if len(items) > MAX_COMMANDS:
            raise Invalid(f"at most {MAX_COMMANDS} at once")
        until = self._clock() + _BUDGET_S
        return [answered("each", partial(self._in_time, until, run, item)) for item in items]

    def _in_time(self, until: float, run: Callable[[Any], _Answer], item: Any) -> _Answer:
        if self._clock() > until:
            raise Unavailable("no time was left for this one: send it again")
        return run(item)


def answered(method: str, run: Callable[[], _Answer]) -> _Answer:
    """What `run` answers, or its error as the API shows errors."""
    try:
        return run()
    except TrafficCopError as error:
        return error_answer(error)
    except Exception as error:
        failed(f"api.{method}", error)
        return error_answer(Internal())


def error_answer(error: TrafficCopError) -> _Answer:
    """`{"error": {code, message}}`."""
    return {"error": {"code": error.protocol_code, "message": error.detail or error.title.lower()}}


def _fitting(publications: Sequence[tuple[int, str]]) -> Iterator[msgspec.Raw]:
    size = 0
    for offset, body in publications:
        shown = publication(offset, body).encode()
        size += len(shown)
        if size > MAX_HISTORY_BYTES:
            return
        yield msgspec.Raw(shown)


def _shown(connection: ListedConnection) -> _Answer:
    channels: dict[str, _Answer] = {channel: {} for channel in connection.channels}
    return {
        "app_name": connection.app_name,
        "app_version": connection.app_version,
        "transport": "websocket",
        "protocol": "json",
        "user": connection.user,
        "state": {"channels": channels},
    }
