"""Frames of the Centrifuge client protocol in JSON: commands in, replies and pushes out, one JSON text a line."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from shared.errors import TrafficCopError
from shared.realtime.json_depth import TooDeep, refuse_deep
from shared.realtime.whole import Uint32, Uint64, Whole, decoded_whole

# Names no event, so that SDKs ignore it; `{}` would be taken for a ping (DESIGN §2).
KEEP_ALIVE: Final = '{"push":{"channel":"$ka"}}'
_NULL: Final = msgspec.Raw(b"null")


# API Gateway takes 128 KB.
FRAME_BYTES: Final = 100_000


def _null() -> msgspec.Raw:
    """A factory, because the document made of these models (asyncapi.py) cannot show raw JSON as a default."""
    return _NULL


class _Request(msgspec.Struct, kw_only=True, omit_defaults=True):
    pass


class SubscribeOptions(_Request, kw_only=True, omit_defaults=True):
    """What `connect` says of a server-side subscription, and `subscribe` of any."""

    recover: bool = False
    epoch: str = ""
    offset: Uint64 = 0
    join_leave: bool = False
    flag: Whole = 0


class Subscribe(SubscribeOptions, kw_only=True, omit_defaults=True):
    """Joins a channel; with `recover`, from the position after (`epoch`, `offset`)."""

    channel: str
    token: str = ""


class Connect(_Request, kw_only=True, omit_defaults=True):
    """The first command of a socket; `subs` has the positions in server-side subscriptions to recover from."""

    token: str = ""
    data: msgspec.Raw = msgspec.field(default_factory=_null)
    name: str = ""
    version: str = ""
    subs: dict[str, SubscribeOptions] = {}


class Unsubscribe(_Request, kw_only=True, omit_defaults=True):
    """Leaves a channel."""

    channel: str


class Publish(_Request, kw_only=True, omit_defaults=True):
    """Publishes `data` into a channel."""

    channel: str
    data: msgspec.Raw


class Presence(_Request, kw_only=True, omit_defaults=True):
    """Asks who is in a channel."""

    channel: str


class PresenceStats(_Request, kw_only=True, omit_defaults=True):
    """Asks how many clients and users are in a channel."""

    channel: str


class Position(_Request, kw_only=True, omit_defaults=True):
    """A position in a channel's log."""

    epoch: str = ""
    offset: Uint64 = 0


class History(_Request, kw_only=True, omit_defaults=True):
    """Asks for publications; `limit` 0 gives the position only, negative all."""

    channel: str
    limit: Whole = 0
    since: Position | None = None
    reverse: bool = False


class Ping(_Request, kw_only=True, omit_defaults=True):
    """Answered with an empty reply."""


class Send(_Request, kw_only=True, omit_defaults=True):
    """Accepted and ignored."""

    data: msgspec.Raw = msgspec.field(default_factory=_null)


class Rpc(_Request, kw_only=True, omit_defaults=True):
    """Calls a method registered in functions/message/rpc.py."""

    method: str = ""
    data: msgspec.Raw = msgspec.field(default_factory=_null)


class Refresh(_Request, kw_only=True, omit_defaults=True):
    """Goes on under a newer token."""

    token: str


class SubRefresh(_Request, kw_only=True, omit_defaults=True):
    """Goes on under a newer subscription token."""

    token: str
    channel: str = ""


class Command(_Request, kw_only=True, omit_defaults=True):
    """One command: an id that rises, and exactly one method."""

    id: Uint32 = 0
    connect: Connect | None = None
    subscribe: Subscribe | None = None
    unsubscribe: Unsubscribe | None = None
    publish: Publish | None = None
    presence: Presence | None = None
    presence_stats: PresenceStats | None = None
    history: History | None = None
    ping: Ping | None = None
    send: Send | None = None
    rpc: Rpc | None = None
    refresh: Refresh | None = None
    sub_refresh: SubRefresh | None = None

    @property
    def method(self) -> str:
        """The name of the method it carries."""
        return next(name for name in METHODS if getattr(self, name) is not None)


METHODS: Final = tuple(name for name in Command.__struct_fields__ if name != "id")
_DECODER: Final = msgspec.json.Decoder(Command, dec_hook=decoded_whole)


class BadFrame(Exception):
    """The frame breaks the protocol; its socket is closed with 3501."""


class ServerDisconnect(Exception):
    """The connection must end with a `disconnect` push: 3000–3499 may reconnect, 3500–3999 must not."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


SHUTDOWN: Final = ServerDisconnect(3001, "shutdown")
EXPIRED: Final = ServerDisconnect(3005, "connection expired")
SLOW: Final = ServerDisconnect(3008, "slow")
FORCE_RECONNECT: Final = ServerDisconnect(3011, "force reconnect")
INVALID_TOKEN: Final = ServerDisconnect(3500, "invalid token")
BAD_REQUEST: Final = ServerDisconnect(3501, "bad request")
STALE: Final = ServerDisconnect(3502, "stale")
FORCE_DISCONNECT: Final = ServerDisconnect(3503, "force disconnect")
CONNECTION_LIMIT: Final = ServerDisconnect(3504, "connection limit")


def decode_frame(text: str) -> list[Command]:
    """The commands of one frame, in order; a client's `{}` is left out. Raises BadFrame."""
    try:
        return [_decoded(line) for line in text.split("\n") if line.strip() not in ("", "{}")]
    except (msgspec.MsgspecError, UnicodeError, TooDeep) as error:
        raise BadFrame(str(error)) from error


def _decoded(line: str) -> Command:
    refuse_deep(line)
    command = _DECODER.decode(line)
    carried = [name for name in METHODS if getattr(command, name) is not None]
    if len(carried) != 1 or (command.id <= 0 and carried != ["send"]):
        raise BadFrame("a command has an id above 0 and one method")
    return command


def reply(command_id: int, method: str, result: Any) -> str:
    """The reply to one command; `result` may hold msgspec.Raw."""
    return quoted({"id": command_id, method: result})


def error_reply(command_id: int, error: TrafficCopError) -> str:
    return quoted({"id": command_id, "error": protocol_error(error)})


def protocol_error(error: TrafficCopError) -> dict[str, Any]:
    """Centrifugo's error object: code, message and, where a retry may help, `temporary`."""
    shown: dict[str, Any] = {"code": error.protocol_code, "message": error.detail or error.title.lower()}
    if error.temporary:
        shown["temporary"] = True
    return shown


def disconnect_push(why: ServerDisconnect) -> str:
    return quoted({"push": {"disconnect": {"code": why.code, "reason": why.reason}}})


def unsubscribe_push(channel: str, code: int, reason: str) -> str:
    return quoted({"push": {"channel": channel, "unsubscribe": {"code": code, "reason": reason}}})


def entry_push(channel: str, kind: str, offset: int, body: str) -> str:
    """A log entry as it goes to members: publications have their offset, ephemeral ones (`msg`) none."""
    if kind in ("join", "leave"):
        return f'{{"push":{{"channel":{quoted(channel)},"{kind}":{{"info":{body}}}}}}}'
    return f'{{"push":{{"channel":{quoted(channel)},"pub":{publication(offset if kind == "pub" else 0, body)}}}}}'


def publication(offset: int, body: str) -> str:
    """A publication from the members of its JSON object (`"data":…,"info":…`) as the log keeps them."""
    return f'{{"offset":{offset},{body}}}' if offset else f"{{{body}}}"


def publication_body(data: bytes | str, info: str = "", tags: dict[str, str] | None = None) -> str:
    """What the log keeps of a publication: its members without braces, `data` as it came."""
    parts = [f'"data":{data if isinstance(data, str) else data.decode()}']
    if info:
        parts.append(f'"info":{info}')
    if tags:
        parts.append(f'"tags":{quoted(tags)}')
    return ",".join(parts)


def client_info(user: str, client: str, chan_info: str = "") -> str:
    """How a connection shows itself in presence, join and leave (with its token's `info`) and its publications."""
    shown: dict[str, Any] = {"user": user, "client": client}
    if chan_info:
        shown["chan_info"] = msgspec.Raw(chan_info.encode())
    return quoted(shown)


def packed(lines: Iterable[str]) -> Iterator[bytes]:
    """Lines joined into frames that API Gateway takes."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        encoded = line.encode()
        if batch and size + len(encoded) > FRAME_BYTES:
            yield b"\n".join(batch)
            batch, size = [], 0
        batch.append(encoded)
        size += len(encoded) + 1
    if batch:
        yield b"\n".join(batch)


def quoted(value: Any) -> str:
    """The value as compact JSON text."""
    return msgspec.json.encode(value).decode()
