"""Why the scripts of a connection refuse, as errors of the catalogue."""

from shared.errors import (
    InvalidToken,
    LimitReached,
    NotFound,
    PermissionDenied,
    TokenExpired,
    TrafficCopError,
    Unavailable,
)


class ConnectionGone(NotFound):
    """The connection was closed, kicked or reaped."""


class ConnectionExpired(TokenExpired):
    """The token that the connection lives on expired, and the grace is over."""


class NotConnectedYet(Unavailable):
    """The frame overtook the `connect` of its connection."""


class ConnectedAlready(TrafficCopError):
    """A second `connect` on one connection."""

    code, status, title, protocol_code = "connected-already", 409, "Connected already", 107


def refused(why: str) -> TrafficCopError:
    """The error for a script's refusal."""
    kinds: dict[str, TrafficCopError] = {
        "gone": ConnectionGone("the connection is closed"),
        "revoked": InvalidToken("the token was revoked"),
        "expired": ConnectionExpired("the token expired"),
        "waiting": NotConnectedYet("connect first"),
        "denied": PermissionDenied(),
        "again": ConnectedAlready(),
        "full": LimitReached("too many channels on this connection"),
        "full:tenant": LimitReached("too many connections of this tenant", retry_after=60),
        "full:user": LimitReached("too many connections of this user", retry_after=60),
        "full:address": LimitReached("too many connections from this address", retry_after=60),
    }
    return kinds[why]
