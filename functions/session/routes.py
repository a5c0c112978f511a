"""The HTTP face of sessions: `/sessions`."""

from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.auth.identity import Identity
from shared.http.dependencies import IdempotencyKey, IfMatch, IfNoneMatch, PageLimit, permitted, service
from shared.http.idempotency import Idempotency
from shared.http.pagination import Cursors
from shared.http.preconditions import is_unchanged, matches
from shared.http.requests import JSON, MERGE_PATCH, WHOLE, body_of, json_object, valid
from shared.realtime.channels import Channels
from shared.sessions.listing import SessionLists, Wanted
from shared.sessions.merge import merged
from shared.sessions.model import (
    DEFAULT_TTL_S,
    MAX_LIFETIME_S,
    MAX_SHARES,
    MAX_TTL_S,
    Access,
    Session,
    Share,
    Status,
    compact,
)
from shared.sessions.service import NewSession, Sessions

router: Final = APIRouter(prefix="/sessions")
_PRIVATE: Final = {"Cache-Control": "private, no-cache"}

Desk = Annotated[Sessions, service("sessions")]
Creator = Annotated[Identity, permitted("sessions.create")]
Lister = Annotated[Identity, permitted("sessions.list")]
Reader = Annotated[Identity, permitted("sessions.read")]
Writer = Annotated[Identity, permitted("sessions.update")]
Toucher = Annotated[Identity, permitted("sessions.touch")]
Ender = Annotated[Identity, permitted("sessions.end")]
Deleter = Annotated[Identity, permitted("sessions.delete")]
Watcher = Annotated[Identity, permitted("sessions.connections")]
_UserId = Annotated[str, Field(min_length=1, max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AccessBody(_Body):
    """Who else: everybody in the tenant, and single users by id."""

    tenant: Literal["read", "write"] | None = None
    users: dict[_UserId, Share] = Field(default_factory=dict, max_length=MAX_SHARES)

    def access(self) -> Access:
        return Access(self.tenant, self.users)


class NewAccessBody(AccessBody):
    """All of it, in the place of what was; a forgotten body must not take everybody's share away."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError('give tenant or users; {"tenant": null} shares the session with nobody')
        return self


class CreateBody(_Body):
    """A new session; without `max_lifetime_seconds` use can keep it alive for a year."""

    data: dict[str, Any] = Field(default_factory=dict)
    ttl_seconds: Annotated[int, Field(ge=1, le=MAX_TTL_S), WHOLE] = DEFAULT_TTL_S
    max_lifetime_seconds: Annotated[int, Field(ge=1, le=MAX_LIFETIME_S), WHOLE] = MAX_LIFETIME_S
    access: AccessBody = Field(default_factory=AccessBody)
    owner: _UserId | None = None


async def merge_patch(request: Request) -> dict[str, Any]:
    """A patch of the session's data or access."""
    return await json_object(request, (MERGE_PATCH, JSON), needed=True)


def session_response(session: Session, status: int = 200, **headers: str) -> Response:
    """The session object with its ETag."""
    return Response(session.as_json(), status, {"ETag": session.etag, **_PRIVATE, **headers}, JSON)


@router.post("")
def create(
    caller: Creator,
    desk: Desk,
    idempotency: Annotated[Idempotency, service("idempotency")],
    body: Annotated[CreateBody, Depends(body_of(CreateBody))],
    key: IdempotencyKey = None,
) -> Response:
    new = NewSession(
        data=body.data,
        ttl_s=body.ttl_seconds,
        lifetime_s=body.max_lifetime_seconds,
        access=body.access.access(),
        owner=body.owner,
    )

    def work(seed: str) -> Response:
        session = desk.create(caller, new, seed)
        return session_response(session, 201, Location=f"/sessions/{session.id}")

    return idempotency.once(caller, "POST /sessions", key, body.model_dump(), work)


@router.get("")
def page(
    caller: Lister,
    lists: Annotated[SessionLists, service("lists")],
    cursors: Annotated[Cursors, service("cursors")],
    limit: PageLimit = 50,
    cursor: str | None = None,
    owner: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    status: Status | None = None,
) -> Response:
    filters = {"list": "sessions", "user": caller.user, "owner": owner, "status": status}
    after = cursors.position(caller.scope, filters, cursor)
    found, rest = lists.page(caller, Wanted(owner=owner, status=status), after, limit)
    following = None if rest is None else cursors.signed(caller.scope, filters, rest)
    items = ",".join(session.as_json() for session in found)
    content = f'{{"items":[{items}],"next_cursor":{compact(following)}}}'
    return Response(content, headers=_PRIVATE, media_type=JSON)


@router.get("/{session_id}")
def read(
    caller: Reader,
    desk: Desk,
    session_id: str,
    if_none_match: IfNoneMatch = None,
) -> Response:
    session = desk.get(caller, session_id)
    if is_unchanged(if_none_match, session.etag):
        return Response(status_code=304, headers={"ETag": session.etag, **_PRIVATE})
    return session_response(session)


@router.patch("/{session_id}")
def patch(
    caller: Writer,
    desk: Desk,
    session_id: str,
    given: Annotated[dict[str, Any], Depends(merge_patch)],
    if_match: IfMatch = None,
) -> Response:
    return session_response(desk.patch(caller, session_id, given, matches(if_match)))


@router.put("/{session_id}/access")
def share(
    caller: Writer,
    desk: Desk,
    session_id: str,
    body: Annotated[NewAccessBody, Depends(body_of(NewAccessBody))],
    if_match: IfMatch = None,
) -> Response:
    access = body.access()
    return session_response(desk.share(caller, session_id, lambda _: access, matches(if_match)))


@router.patch("/{session_id}/access")
def share_more(
    caller: Writer,
    desk: Desk,
    session_id: str,
    given: Annotated[dict[str, Any], Depends(merge_patch)],
    if_match: IfMatch = None,
) -> Response:
    def next_access(present: Access) -> Access:
        return valid(AccessBody, merged(present.as_dict(), given)).access()

    return session_response(desk.share(caller, session_id, next_access, matches(if_match)))


@router.post("/{session_id}/touch")
def touch(caller: Toucher, desk: Desk, session_id: str) -> Response:
    return session_response(desk.touch(caller, session_id))


@router.post("/{session_id}/end")
def end(caller: Ender, desk: Desk, session_id: str, if_match: IfMatch = None) -> Response:
    return session_response(desk.end(caller, session_id, matches(if_match)))


@router.delete("/{session_id}")
def delete(caller: Deleter, desk: Desk, session_id: str, if_match: IfMatch = None) -> Response:
    desk.delete(caller, session_id, matches(if_match))
    return Response(status_code=204)


@router.get("/{session_id}/connections")
def connections(
    caller: Watcher,
    desk: Desk,
    channels: Annotated[Channels, service("channels")],
    cursors: Annotated[Cursors, service("cursors")],
    session_id: str,
    limit: PageLimit = 50,
    cursor: str | None = None,
) -> Response:
    session = desk.get(caller, session_id)
    filters = {"list": "session connections", "session": session.id}
    after = cursors.position(caller.scope, filters, cursor)
    members = channels.members(caller.scope, f"session:{session.id}")
    found = sorted(client for client in members if client > after)
    following = cursors.signed(caller.scope, filters, found[limit - 1]) if len(found) > limit else None
    items = [{"client": client, **members[client]} for client in found[:limit]]
    return Response(compact({"items": items, "next_cursor": following}), headers=_PRIVATE, media_type=JSON)
