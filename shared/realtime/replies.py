"""Replies and pushes as models, so that the document of the protocol can show them (asyncapi.py).

Hot paths write these frames as text (protocol.py, claims.py); tests hold what they write against these models.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, UnsetType

_Uint32 = Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)]
_Uint64 = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Offset = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
_Ttl = Annotated[int, msgspec.Meta(ge=1, description="Seconds until the token's end.")]
_ErrorCode = Annotated[int, msgspec.Meta(ge=100, le=112)]
_UnsubscribeCode = Annotated[int, msgspec.Meta(ge=2000, le=2999)]
_DisconnectCode = Annotated[int, msgspec.Meta(ge=3000, le=4999)]


class _Told(msgspec.Struct, kw_only=True, omit_defaults=True):
    pass


class ProtocolError(_Told, kw_only=True):
    """Why a command was refused; with `temporary` the same command may succeed later."""

    code: _ErrorCode
    message: str
    temporary: bool | UnsetType = UNSET


class ClientInfo(_Told, kw_only=True):
    """How a connection shows itself to others: its user's id, its own, and its subscription token's `info`."""

    user: str
    client: str
    chan_info: Any = UNSET


class Publication(_Told, kw_only=True):
    """What was published; without `offset` it was for those present only. A client's has its `info`."""

    data: Any
    offset: _Offset | UnsetType = UNSET
    info: ClientInfo | UnsetType = UNSET
    tags: dict[str, str] | UnsetType = UNSET


class _Placed(_Told, kw_only=True):
    recoverable: bool | UnsetType = UNSET
    positioned: bool | UnsetType = UNSET
    epoch: str | UnsetType = UNSET
    offset: _Uint64 | UnsetType = UNSET
    was_recovering: bool | UnsetType = UNSET
    recovered: bool | UnsetType = UNSET


class Subscribed(_Placed, kw_only=True):
    """A subscription, its token's life and its position; `publications` are all that was missed, if `recovered`."""

    expires: bool | UnsetType = UNSET
    ttl: _Ttl | UnsetType = UNSET
    publications: list[Publication] | UnsetType = UNSET


class SubscribedByServer(_Placed, kw_only=True):
    """A subscription that the backend made, with its `data`; what was missed, if `recovered`, follows in pushes."""

    data: Any = UNSET


class _Lifetime(_Told, kw_only=True):
    client: str
    version: str
    expires: bool | UnsetType = UNSET
    ttl: _Ttl | UnsetType = UNSET


class Connected(_Lifetime, kw_only=True):
    """The connection's id, how long its token lasts, and its server-side subscriptions by channel."""

    subs: dict[str, Subscribed]


class Refreshed(_Lifetime, kw_only=True):
    """The connection's id, and how long its newer token lasts."""


class SubRefreshed(_Told, kw_only=True):
    """How long the subscription's newer token lasts."""

    expires: bool | UnsetType = UNSET
    ttl: _Ttl | UnsetType = UNSET


class Done(_Told, kw_only=True):
    """It was done; there is nothing to tell."""


class Members(_Told, kw_only=True):
    """Who is in the channel, by connection."""

    presence: dict[str, ClientInfo]


class MemberCount(_Told, kw_only=True):
    """How many connections, and of how many users, are in the channel."""

    num_clients: _Uint64
    num_users: _Uint64


class Past(_Told, kw_only=True):
    """Publications, and the position of the channel's log; fewer than asked for where they would not fit a frame."""

    publications: list[Publication]
    epoch: str
    offset: _Uint64


class Returned(_Told, kw_only=True):
    """What the method returned."""

    data: Any


class Reply(_Told, kw_only=True):
    """The reply to the command of this id: its method's result, or an error."""

    id: _Uint32
    error: ProtocolError | UnsetType = UNSET
    connect: Connected | UnsetType = UNSET
    subscribe: Subscribed | UnsetType = UNSET
    unsubscribe: Done | UnsetType = UNSET
    publish: Done | UnsetType = UNSET
    presence: Members | UnsetType = UNSET
    presence_stats: MemberCount | UnsetType = UNSET
    history: Past | UnsetType = UNSET
    ping: Done | UnsetType = UNSET
    rpc: Returned | UnsetType = UNSET
    refresh: Refreshed | UnsetType = UNSET
    sub_refresh: SubRefreshed | UnsetType = UNSET


class Membership(_Told, kw_only=True):
    """Who came or went."""

    info: ClientInfo


class Unsubscribed(_Told, kw_only=True):
    """The server ended the subscription: 2000 for good; 2500: subscribe again, what was missed is
    gone; 2501: the subscription's token ended, subscribe again with another."""

    code: _UnsubscribeCode
    reason: str


class Disconnected(_Told, kw_only=True):
    """The last frame of a connection: 3000–3499 may come back, 3500–3999 must not."""

    code: _DisconnectCode
    reason: str


class Push(_Told, kw_only=True):
    """What nobody asked for: one event of a channel, or of the connection."""

    channel: str | UnsetType = UNSET
    pub: Publication | UnsetType = UNSET
    join: Membership | UnsetType = UNSET
    leave: Membership | UnsetType = UNSET
    subscribe: SubscribedByServer | UnsetType = UNSET
    unsubscribe: Unsubscribed | UnsetType = UNSET
    disconnect: Disconnected | UnsetType = UNSET


REPLIES: Final = tuple(name for name in Reply.__struct_fields__ if name != "id")
PUSHES: Final = tuple(name for name in Push.__struct_fields__ if name != "channel")
