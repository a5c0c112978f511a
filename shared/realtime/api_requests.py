"""Requests of Centrifugo's server API: its field names, and null wherever a client sends what it left out."""

import base64
import re
from typing import Any, Final

import msgspec

from shared.auth.grants import MAX_INFO_BYTES
from shared.errors import Invalid, NotAvailable
from shared.realtime.json_depth import TooDeep, refuse_deep
from shared.realtime.namespaces import Namespace, check_name
from shared.realtime.protocol import FORCE_DISCONNECT, Position, ServerDisconnect, SubscribeOptions
from shared.realtime.whole import Moment, Uint64, Whole, decoded_whole

MAX_KEY_BYTES: Final = 128
# What a WebSocket close frame has room for; SDKs take the reason from our push, but apps may copy it there.
_MAX_REASON_BYTES: Final = 123
_MAX_DATA_BYTES: Final = 16_384
_ID: Final = re.compile(r"[\x21-\x7e]{1,75}")
_MISSING: Final = msgspec.Raw(b"")


def _missing() -> msgspec.Raw:
    """A factory, because the API's document cannot show raw JSON as a default."""
    return _MISSING


class Publish(msgspec.Struct, kw_only=True):
    """`publish` into `channel`, or `broadcast` into `channels`."""

    channel: str | None = None
    channels: list[str] | None = None
    data: msgspec.Raw = msgspec.field(default_factory=_missing)
    b64data: str | None = None
    tags: dict[str, str] | None = None
    skip_history: bool | None = None
    idempotency_key: str | None = None
    version: Uint64 | None = None
    version_epoch: str | None = None

    def json(self) -> bytes:
        """The publication's data as JSON text. Raises Invalid when there is none."""
        if self.b64data:
            return _json_in(self.b64data)
        if not bytes(self.data):
            raise Invalid("data is needed")
        return bytes(self.data)

    def key(self) -> str:
        """The idempotency key, or an empty text."""
        key = self.idempotency_key or ""
        if len(key.encode()) > MAX_KEY_BYTES:
            raise Invalid(f"an idempotency key has at most {MAX_KEY_BYTES} bytes")
        return key

    def epoch_of_versions(self) -> str:
        """What `version` is compared within, or an empty text."""
        epoch = self.version_epoch or ""
        if len(epoch.encode()) > MAX_KEY_BYTES:
            raise Invalid(f"a version epoch has at most {MAX_KEY_BYTES} bytes")
        return epoch


class Named(msgspec.Struct, kw_only=True):
    """What is asked of one channel."""

    channel: str | None = None

    def name(self) -> str:
        return named(self.channel)


class History(Named, kw_only=True):
    """`limit` 0 gives the position only, negative all there is."""

    limit: Whole | None = None
    since: Position | None = None
    reverse: bool | None = None


class Code(msgspec.Struct, kw_only=True):
    """A disconnect code and its reason; 0 is the usual one."""

    code: Whole | None = None
    reason: str | None = None


class OfUser(msgspec.Struct, kw_only=True):
    """What is asked of a user's connections, or of one of them."""

    user: str | None = None
    client: str | None = None
    session: str | None = None

    def name(self) -> str:
        if not self.user:
            raise Invalid("a user is needed")
        return self.user


class Disconnect(OfUser, kw_only=True):
    """Closes connections, but not those in the whitelist."""

    whitelist: list[str] | None = None
    disconnect: Code | None = None

    def why(self) -> ServerDisconnect:
        """Raises Invalid for a code that clients would not understand."""
        if self.disconnect is None or not self.disconnect.code:
            return FORCE_DISCONNECT
        reason = self.disconnect.reason or ""
        if not 3000 <= self.disconnect.code <= 4999 or len(reason.encode()) > _MAX_REASON_BYTES:
            raise Invalid("disconnect codes are 3000 to 4999, reasons have at most 123 bytes")
        return ServerDisconnect(self.disconnect.code, reason)


class Unsubscribe(OfUser, kw_only=True):
    """Takes a user's connections out of a channel."""

    channel: str | None = None


class Flag(msgspec.Struct, kw_only=True):
    """Centrifugo's BoolValue."""

    value: bool = False


class Override(msgspec.Struct, kw_only=True):
    """Options of one subscription: joins and leaves may be told to it; the rest is as its namespace says."""

    presence: Flag | None = None
    join_leave: Flag | None = None
    force_push_join_leave: Flag | None = None
    force_positioning: Flag | None = None
    force_recovery: Flag | None = None

    def tells_joins(self, namespace: Namespace) -> bool:
        """Raises NotAvailable where something else would be overridden."""
        tells = namespace.force_push_join_leave or _is_set(self.force_push_join_leave)
        usual = {
            "presence": namespace.presence,
            "join_leave": namespace.join_leave,
            "force_push_join_leave": tells,
            "force_positioning": namespace.recoverable,
            "force_recovery": namespace.recoverable,
        }
        for name, is_on in usual.items():
            if getattr(self, name) is not None and _is_set(getattr(self, name)) != is_on:
                raise NotAvailable(f"{name} is as the channel's namespace says")
        return tells


class Subscribe(Unsubscribe, kw_only=True):
    """Has a user's connections hear a channel, from a position where it is still in the log.

    `info` is shown in presence, joins and leaves; `data` comes with the push that tells the client.
    """

    recover_since: Position | None = None
    info: msgspec.Raw = msgspec.field(default_factory=_missing)
    b64info: str | None = None
    data: msgspec.Raw = msgspec.field(default_factory=_missing)
    b64data: str | None = None
    override: Override | None = None

    def options(self, namespace: Namespace) -> SubscribeOptions:
        joins = self.override is not None and self.override.tells_joins(namespace)
        since = self.recover_since
        if since is None:
            return SubscribeOptions(join_leave=joins)
        return SubscribeOptions(recover=True, epoch=since.epoch, offset=since.offset, join_leave=joins)

    def shown_info(self) -> str:
        return _compact("info", self.info, self.b64info, MAX_INFO_BYTES)

    def shown_data(self) -> str:
        return _compact("data", self.data, self.b64data, _MAX_DATA_BYTES)


class Nothing(msgspec.Struct):
    """No more than to be JSON."""


class ListChannels(msgspec.Struct, kw_only=True):
    """`pattern` as of file names; without one all."""

    pattern: str | None = None


class Refresh(OfUser, kw_only=True):
    """Ends connections as expired, or lets them go on until `expire_at` (unix s)."""

    expired: bool | None = None
    expire_at: Moment | None = None


class ListConnections(OfUser, kw_only=True):
    """Of a user, or of everybody; Centrifugo's filter expressions are not understood."""

    expression: str | None = None

    def whose(self) -> str:
        """The user, or an empty text for everybody."""
        if self.expression:
            raise NotAvailable("expressions are not understood: name a user, or use GET /connections")
        return self.user or ""


class Block(OfUser, kw_only=True):
    """Shuts a user out until `expire_at` (unix s); without it for good."""

    expire_at: Moment | None = None


class RevokeToken(msgspec.Struct, kw_only=True):
    """Makes tokens void by `uid`, which is a Supabase session; with its `user` (ours) at once in any case."""

    uid: str | None = None
    expire_at: Moment | None = None
    user: str | None = None
    channel: str | None = None

    def session(self) -> str:
        if self.channel:
            raise NotAvailable("subscription tokens are not revoked one by one: give them a short life")
        if not self.uid or not _ID.fullmatch(self.uid):
            raise Invalid("uid is a Supabase session: up to 75 of printable ASCII")
        return self.uid


class InvalidateTokens(OfUser, kw_only=True):
    """Makes tokens void that were issued before `issued_before` (unix s; without it all that there are)."""

    issued_before: Moment | None = None
    channel: str | None = None

    def name(self) -> str:
        if self.channel:
            raise NotAvailable("subscription tokens are not invalidated by channel: give them a short life")
        return super().name()


class Batch(msgspec.Struct, kw_only=True):
    """Commands `{"<method>": request}`, run one after the other whatever `parallel` says."""

    commands: list[dict[str, msgspec.Raw]] | None = None
    parallel: bool | None = None


def decoded(body: bytes, kind: type[Any]) -> Any:
    """The request in a body; an empty body is `{}`. Raises Invalid."""
    try:
        # What stays raw would otherwise pass without being text.
        text = body.decode() or "{}"
        refuse_deep(text)
        return msgspec.json.decode(text, type=kind, dec_hook=decoded_whole)
    except (msgspec.MsgspecError, UnicodeError, TooDeep) as error:
        raise Invalid(f"bad request: {str(error)[:200]}") from error


def named(channel: str | None) -> str:
    """The name of a channel. Raises Invalid without one, UnknownChannel for what can be none."""
    if not channel:
        raise Invalid("a channel is needed")
    return check_name(channel)


def _is_set(flag: Flag | None) -> bool:
    return flag is not None and flag.value


def _compact(name: str, plain: msgspec.Raw, b64: str | None, most: int) -> str:
    """JSON text in one line, or an empty text for none (or null). Raises Invalid above `most` bytes."""
    given = _json_in(b64) if b64 else bytes(plain)
    compact = msgspec.json.format(given, indent=-1) if given else b"null"
    if len(compact) > most:
        raise Invalid(f"{name} of a subscription has at most {most} bytes")
    return "" if compact == b"null" else compact.decode()


def _json_in(text: str) -> bytes:
    """Binary is not for JSON clients, so what is inside must be JSON."""
    try:
        data = base64.b64decode(text, validate=True)
        refuse_deep(data.decode())
        msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Invalid("base64 must hold JSON") from error
    return data
