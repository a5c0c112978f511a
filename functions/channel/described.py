"""What the channel routes answer, for the HTTP API's document; not imported by the function."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from pydantic import BaseModel, Field

from shared.errors import NotFound
from shared.http.openapi import Answer, Described
from shared.realtime import api_requests as ask

_ANN: Final = "5f1c7c0e-8f53-4d0e-9c2f-0d4b6a1d2c3e"
_CLIENT: Final = "BFaVtfGSIAMCKug="
_EPOCH: Final = "xK3dQ0aa"


class Connection(BaseModel):
    """An open connection of the tenant; `expires_at` is its token's end."""

    client: str
    user: str
    channels: list[str]
    connected_at: datetime
    expires_at: datetime | None


class ConnectionPage(BaseModel):
    """Connections by id; stable while others come and go."""

    items: list[Connection]
    next_cursor: str | None


class ApiError(BaseModel):
    """Why a method failed; codes are those of the client protocol (asyncapi.json)."""

    code: int = Field(ge=100, le=112)
    message: str


class ApiEmpty(BaseModel):
    """It was done; there is nothing to tell."""


class ApiDelivery(BaseModel):
    """How many connections got it by now; the deferred ones get it from the delivery queue."""

    delivered: int
    gone: int
    throttled: int
    deferred: int


class ApiPublished(BaseModel):
    """Where the publication stands in its channel's log."""

    offset: int = Field(ge=0)
    epoch: str
    delivery: ApiDelivery


class ApiBroadcastItem(BaseModel):
    """The answer for one channel: `result` or `error`."""

    result: ApiPublished | None = None
    error: ApiError | None = None


class ApiBroadcast(BaseModel):
    """An answer for each channel, in their order."""

    responses: list[ApiBroadcastItem]


class ApiClient(BaseModel):
    """A member of a channel; `chan_info` is what its subscription brought."""

    user: str
    client: str
    chan_info: Any = None


class ApiPresence(BaseModel):
    """Members by connection."""

    presence: dict[str, ApiClient]


class ApiPresenceStats(BaseModel):
    """How many connections, and of how many users."""

    num_clients: int = Field(ge=0)
    num_users: int = Field(ge=0)


class ApiPublication(BaseModel):
    """One publication; a client's has its `info`."""

    data: Any
    offset: int = Field(ge=1)
    info: ApiClient | None = None
    tags: dict[str, str] | None = None


class ApiHistory(BaseModel):
    """Publications, and the position of the channel's log."""

    publications: list[ApiPublication]
    offset: int = Field(ge=0)
    epoch: str


class ApiNode(BaseModel):
    """The tenant's own numbers, as those of one node; above 1,000 connections only they are counted."""

    uid: str
    name: str
    version: str
    num_clients: int = Field(ge=0)
    num_users: int | None = Field(None, ge=0)
    num_subs: int | None = Field(None, ge=0)
    num_channels: int | None = Field(None, ge=0)


class ApiInfo(BaseModel):
    """One node: the tenant."""

    nodes: list[ApiNode]


class ApiConnectionState(BaseModel):
    """The channels of a connection."""

    channels: dict[str, ApiEmpty]


class ApiConnection(BaseModel):
    """One connection of the user."""

    app_name: str
    app_version: str
    transport: str
    protocol: str
    user: str
    state: ApiConnectionState


class ApiConnections(BaseModel):
    """The user's connections by id."""

    connections: dict[str, ApiConnection]


class ApiChannel(BaseModel):
    """How many connections are in a channel."""

    num_clients: int = Field(ge=1)


class ApiChannels(BaseModel):
    """Channels that somebody is in, by name."""

    channels: dict[str, ApiChannel]


_CONNECTION: Final = {
    "client": _CLIENT,
    "user": _ANN,
    "channels": ["chat:lobby", f"user:{_ANN}"],
    "connected_at": "2026-11-24T09:30:00.000Z",
    "expires_at": "2026-11-24T10:30:00.000Z",
}
_PUBLISHED: Final = {
    "offset": 7,
    "epoch": _EPOCH,
    "delivery": {"delivered": 2, "gone": 0, "throttled": 0, "deferred": 0},
}
_MEMBER: Final = {"user": _ANN, "client": _CLIENT}
_NODE: Final = {
    "uid": "acme",
    "name": "traffic-cop",
    "version": "0.1.0",
    "num_clients": 2,
    "num_users": 1,
    "num_subs": 4,
    "num_channels": 2,
}
_LISTED: Final = {
    "app_name": "js",
    "app_version": "1.2",
    "transport": "websocket",
    "protocol": "json",
    "user": _ANN,
    "state": {"channels": {"chat:lobby": {}}},
}

OPERATIONS: Final[dict[str, Described]] = {
    "GET /connections": Described(
        id="listConnections",
        about="List the tenant's open connections",
        answers={
            200: Answer(
                about="A page of connections.",
                model=ConnectionPage,
                example={"items": [_CONNECTION], "next_cursor": None},
            )
        },
    ),
    "DELETE /connections/{connection}": Described(
        id="closeConnection",
        about="Close a connection; its client does not come back by itself",
        answers={204: Answer(about="It is closed.")},
        problems=(NotFound,),
    ),
}


@dataclass(frozen=True)
class Method:
    """One method of the server API: what it takes (None: nothing) and its result, with an example of each."""

    about: str
    request: type[msgspec.Struct] | None
    example: dict[str, Any]
    result: type[BaseModel]
    told: dict[str, Any]


_LOBBY: Final = {"channel": "chat:lobby"}
_HELLO: Final = {"data": {"text": "hello"}}

METHODS: Final[dict[str, Method]] = {
    "publish": Method("Publish into a channel", ask.Publish, {**_LOBBY, **_HELLO}, ApiPublished, _PUBLISHED),
    "broadcast": Method(
        "Publish into several channels",
        ask.Publish,
        {"channels": ["chat:lobby"], **_HELLO},
        ApiBroadcast,
        {"responses": [{"result": _PUBLISHED}]},
    ),
    "presence": Method("Who is in a channel", ask.Named, _LOBBY, ApiPresence, {"presence": {_CLIENT: _MEMBER}}),
    "presence_stats": Method(
        "How many are in a channel", ask.Named, _LOBBY, ApiPresenceStats, {"num_clients": 2, "num_users": 1}
    ),
    "history": Method(
        "What was said in a channel",
        ask.History,
        {**_LOBBY, "limit": 10, "since": {"epoch": _EPOCH, "offset": 6}},
        ApiHistory,
        {"publications": [{"offset": 7, **_HELLO, "info": _MEMBER}], "offset": 7, "epoch": _EPOCH},
    ),
    "history_remove": Method("Forget what was said in a channel", ask.Named, _LOBBY, ApiEmpty, {}),
    "subscribe": Method(
        "Have a user's connections hear a channel",
        ask.Subscribe,
        {**_LOBBY, "user": _ANN, "recover_since": {"epoch": _EPOCH, "offset": 6}, "info": {"role": "host"}},
        ApiEmpty,
        {},
    ),
    "unsubscribe": Method(
        "Take a user's connections out of a channel", ask.Unsubscribe, {**_LOBBY, "user": _ANN}, ApiEmpty, {}
    ),
    "channels": Method(
        "Which channels somebody is in",
        ask.ListChannels,
        {"pattern": "chat:*"},
        ApiChannels,
        {"channels": {"chat:lobby": {"num_clients": 2}}},
    ),
    "disconnect": Method(
        "Close a user's connections",
        ask.Disconnect,
        {"user": _ANN, "disconnect": {"code": 3503, "reason": "force disconnect"}},
        ApiEmpty,
        {},
    ),
    "refresh": Method(
        "Let a user's connections go on until then, or end them as expired",
        ask.Refresh,
        {"user": _ANN, "expire_at": 1795516200},
        ApiEmpty,
        {},
    ),
    "info": Method(
        "How many connections are open",
        None,
        {},
        ApiInfo,
        {"nodes": [_NODE]},
    ),
    "connections": Method(
        "A user's connections", ask.ListConnections, {"user": _ANN}, ApiConnections, {"connections": {_CLIENT: _LISTED}}
    ),
    "block_user": Method("Shut a user out", ask.Block, {"user": _ANN, "expire_at": 1795516200}, ApiEmpty, {}),
    "unblock_user": Method("Let a user in again", ask.OfUser, {"user": _ANN}, ApiEmpty, {}),
    "revoke_token": Method(
        "Make the tokens of one Supabase session void",
        ask.RevokeToken,
        {"uid": "0c1f6bb2-6a5c-4c1b-9a3e-2f6a1c0d9e11", "user": _ANN},
        ApiEmpty,
        {},
    ),
    "invalidate_user_tokens": Method(
        "Make a user's tokens void that were issued before",
        ask.InvalidateTokens,
        {"user": _ANN, "issued_before": 1795512600},
        ApiEmpty,
        {},
    ),
}
