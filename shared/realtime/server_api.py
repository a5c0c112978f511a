"""Centrifugo's server API: its requests and results, so that its clients work unchanged."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from shared.auth.identity import Identity
from shared.auth.permissions import PERMISSIONS, require
from shared.errors import Internal, Invalid, MethodNotFound, PermissionDenied, TrafficCopError
from shared.observe.log import failed
from shared.realtime.channels import Channels, Published
from shared.realtime.namespaces import check_name
from shared.realtime.protocol import (
    FORCE_DISCONNECT,
    Position,
    ServerDisconnect,
    protocol_error,
    publication,
)

_MAX_BATCH: Final = 100


class _Request(msgspec.Struct, kw_only=True):
    pass


class _Publish(_Request, kw_only=True):
    data: msgspec.Raw
    channel: str = ""
    channels: list[str] = []
    skip_history: bool | None = None
    tags: dict[str, str] | None = None
    idempotency_key: str | None = None


class _Named(_Request, kw_only=True):
    channel: str


class _History(_Named, kw_only=True):
    limit: int | None = None
    since: Position | None = None
    reverse: bool | None = None


class _Code(_Request, kw_only=True):
    code: int
    reason: str = ""


class _Disconnect(_Request, kw_only=True):
    user: str
    client: str | None = None
    whitelist: list[str] | None = None
    disconnect: _Code | None = None


class _Batch(_Request, kw_only=True):
    commands: list[dict[str, msgspec.Raw]]
    parallel: bool | None = None


class ServerApi:
    """Runs one method for a caller and answers as Centrifugo does: `{"result": …}` or `{"error": {code, message}}`."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._methods: dict[str, Callable[[Identity, bytes], Any]] = {
            "publish": self._publish,
            "broadcast": self._broadcast,
            "presence": self._presence,
            "presence_stats": self._presence_stats,
            "history": self._history,
            "disconnect": self._disconnect,
            "info": self._info,
        }

    def answer(self, caller: Identity, method: str, body: bytes) -> dict[str, Any]:
        """Never raises: a method's failure is its answer."""
        try:
            if method == "batch":
                return self._batch(caller, body)
            return {"result": self._run(caller, method, body)}
        except TrafficCopError as error:
            return {"error": protocol_error(error)}
        except Exception as error:
            failed(f"api.{method}", error)
            return {"error": protocol_error(Internal())}

    def _run(self, caller: Identity, method: str, body: bytes) -> Any:
        if method not in self._methods or f"api.{method}" not in PERMISSIONS:
            raise MethodNotFound(f"no method {method!r}")
        if caller.source == "token" and not caller.is_admin:
            raise PermissionDenied("users need the permission admin here")
        require(caller, f"api.{method}")
        return self._methods[method](caller, body)

    def _batch(self, caller: Identity, body: bytes) -> dict[str, Any]:
        asked = _decoded(body, _Batch)
        if len(asked.commands) > _MAX_BATCH:
            raise Invalid(f"a batch has at most {_MAX_BATCH} commands")
        return {"replies": [self._reply(caller, command) for command in asked.commands]}

    def _reply(self, caller: Identity, command: dict[str, msgspec.Raw]) -> dict[str, Any]:
        ((method, body),) = command.items() if len(command) == 1 else (("", msgspec.Raw(b"{}")),)
        answered = self.answer(caller, "" if method == "batch" else method, bytes(body))
        return answered if "error" in answered else {method: answered["result"]}

    def _publish(self, caller: Identity, body: bytes) -> dict[str, Any]:
        asked = _decoded(body, _Publish)
        return self._published(caller, asked, asked.channel)

    def _broadcast(self, caller: Identity, body: bytes) -> dict[str, Any]:
        asked = _decoded(body, _Publish)
        if not asked.channels:
            raise Invalid("channels are needed")
        return {"responses": [self._response(caller, asked, channel) for channel in asked.channels]}

    def _response(self, caller: Identity, asked: _Publish, channel: str) -> dict[str, Any]:
        try:
            return {"result": self._published(caller, asked, channel)}
        except TrafficCopError as error:
            return {"error": protocol_error(error)}

    def _published(self, caller: Identity, asked: _Publish, channel: str) -> dict[str, Any]:
        done: Published = self._channels.publish(
            caller.scope,
            check_name(channel),
            bytes(asked.data),
            tags=asked.tags,
            idempotency_key=asked.idempotency_key or "",
            skip_history=bool(asked.skip_history),
        )
        return {"offset": done.offset, "epoch": done.epoch, "delivery": done.delivery.as_dict()}

    def _presence(self, caller: Identity, body: bytes) -> dict[str, Any]:
        return {"presence": self._channels.presence(caller.scope, _named(body))}

    def _presence_stats(self, caller: Identity, body: bytes) -> dict[str, Any]:
        return dict(self._channels.presence_stats(caller.scope, _named(body)))

    def _history(self, caller: Identity, body: bytes) -> dict[str, Any]:
        asked = _decoded(body, _History)
        found = self._channels.history(
            caller.scope,
            check_name(asked.channel),
            limit=asked.limit or 0,
            since=asked.since,
            reverse=bool(asked.reverse),
        )
        shown = [msgspec.Raw(publication(offset, body).encode()) for offset, body in found.publications]
        return {"publications": shown, "offset": found.offset, "epoch": found.epoch}

    def _disconnect(self, caller: Identity, body: bytes) -> dict[str, Any]:
        asked = _decoded(body, _Disconnect)
        chosen = asked.disconnect
        why = ServerDisconnect(chosen.code, chosen.reason) if chosen else FORCE_DISCONNECT
        if not 3000 <= why.code <= 4999:
            raise Invalid("disconnect codes are 3000 to 4999")
        spared = frozenset(asked.whitelist or ())
        self._channels.disconnect_user(caller.scope, asked.user, why, client=asked.client or "", spared=spared)
        return {}

    def _info(self, caller: Identity, body: bytes) -> dict[str, Any]:
        count = self._channels.count_connections(caller.scope)
        node = {"uid": caller.scope.label, "name": "traffic-cop", "version": "0.1.0", "num_clients": count}
        return {"nodes": [node]}


def _named(body: bytes) -> str:
    return check_name(_decoded(body, _Named).channel)


def _decoded(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Invalid(str(error)) from error
