"""What the session routes answer, for the HTTP API's document; not imported by the function."""

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, Field

from shared.errors import Conflict, LimitReached, NotFound
from shared.http.openapi import Answer, Described
from shared.sessions.model import Share, Status

_ID: Final = "6f0d5b1f4a3c4f0e9b7a2d1c8e5f6a7b"
_ANN: Final = "5f1c7c0e-8f53-4d0e-9c2f-0d4b6a1d2c3e"


class SessionAccess(BaseModel):
    """Who else may read or write the session: everybody in the tenant, and single users by id."""

    tenant: Share | None
    users: dict[str, Share]


class Session(BaseModel):
    """State that a user's (or a team's) connections share; changes come on the channel `session:<id>`."""

    id: str = Field(pattern="^[0-9a-f]{32}$")
    owner: str
    version: int = Field(ge=1)
    status: Status
    access: SessionAccess
    ttl_seconds: int = Field(ge=1)
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    data: dict[str, Any]


class SessionPage(BaseModel):
    """Sessions, newest first; a page may be short, even empty, and still have a next one."""

    items: list[Session]
    next_cursor: str | None


class SessionConnection(BaseModel):
    """A connection that is subscribed to the session's channel."""

    client: str
    user: str


class SessionConnections(BaseModel):
    """Who is there now, by the connections' ids."""

    items: list[SessionConnection]
    next_cursor: str | None


_SESSION: Final = {
    "id": _ID,
    "owner": _ANN,
    "version": 7,
    "status": "active",
    "access": {"tenant": "read", "users": {}},
    "ttl_seconds": 3600,
    "created_at": "2026-11-24T09:30:00.000Z",
    "updated_at": "2026-11-24T09:41:07.250Z",
    "expires_at": "2026-11-24T10:41:07.250Z",
    "data": {"step": 2, "cart": ["book"]},
}
_CREATED: Final = {**_SESSION, "version": 1, "data": {"step": 1}}
_FOUND: Final = Answer(about="The session.", model=Session, example=_SESSION, headers=("ETag",))
_CHANGED: Final = {200: Answer(about="The session as it is now.", model=Session, example=_SESSION, headers=("ETag",))}

OPERATIONS: Final[dict[str, Described]] = {
    "POST /sessions": Described(
        id="createSession",
        about="Begin a session; only an admin may name another owner",
        body={"data": {"step": 1}, "ttl_seconds": 3600, "access": {"tenant": "read"}},
        answers={
            201: Answer(
                about="The new session.",
                model=Session,
                example=_CREATED,
                headers=("ETag", "Location", "Idempotent-Replayed"),
            )
        },
        problems=(LimitReached,),
    ),
    "GET /sessions": Described(
        id="listSessions",
        about="List the sessions that the caller may read",
        answers={
            200: Answer(
                about="A page of sessions.",
                model=SessionPage,
                example={"items": [_SESSION], "next_cursor": None},
            )
        },
    ),
    "GET /sessions/{session_id}": Described(
        id="readSession",
        about="Read a session",
        answers={200: _FOUND, 304: Answer(about="It is still the version that the caller has.", headers=("ETag",))},
        problems=(NotFound,),
    ),
    "PATCH /sessions/{session_id}": Described(
        id="patchSession",
        about="Merge a patch into the session's data (RFC 7396): the body is members of the data, not of the session",
        body={"step": 2, "cart": ["book"], "coupon": None},
        answers=_CHANGED,
        problems=(NotFound, Conflict),
    ),
    "PUT /sessions/{session_id}/access": Described(
        id="replaceSessionAccess",
        about="Say who else may read and write the session; who may not read it any more is unsubscribed",
        body={"tenant": "read", "users": {_ANN: "write"}},
        answers=_CHANGED,
        problems=(NotFound, Conflict),
    ),
    "PATCH /sessions/{session_id}/access": Described(
        id="patchSessionAccess",
        about="Change who else may read and write the session (RFC 7396)",
        body={"users": {_ANN: None}},
        answers=_CHANGED,
        problems=(NotFound, Conflict),
    ),
    "POST /sessions/{session_id}/touch": Described(
        id="touchSession",
        about="Put off the session's end; its version stays",
        answers=_CHANGED,
        problems=(NotFound, Conflict),
    ),
    "POST /sessions/{session_id}/end": Described(
        id="endSession",
        about="End the session: it can be read, but not written",
        answers={
            200: Answer(
                about="The ended session.",
                model=Session,
                example={**_SESSION, "version": 8, "status": "ended"},
                headers=("ETag",),
            )
        },
        problems=(NotFound, Conflict),
    ),
    "DELETE /sessions/{session_id}": Described(
        id="deleteSession",
        about="Delete the session",
        answers={204: Answer(about="It is gone.")},
        problems=(NotFound, Conflict),
    ),
    "GET /sessions/{session_id}/connections": Described(
        id="listSessionConnections",
        about="List who is subscribed to the session now",
        answers={
            200: Answer(
                about="A page of connections.",
                model=SessionConnections,
                example={"items": [{"client": "BFaVtfGSIAMCKug=", "user": _ANN}], "next_cursor": None},
            )
        },
        problems=(NotFound,),
    ),
}
