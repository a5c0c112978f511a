"""`/files`: promises of uploads, what became of them, their content and what was found in it."""

import json
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from functions.file.schemas import CompleteBody, NewFileBody, StatusFilter
from shared.auth.identity import Identity
from shared.errors import PermissionDenied
from shared.files.filing import Filing
from shared.files.model import File, shown
from shared.files.service import Wanted
from shared.files.uploads import request_shown
from shared.http.dependencies import IdempotencyKey, IfNoneMatch, PageLimit, permitted
from shared.http.idempotency import Idempotency
from shared.http.pagination import Cursors
from shared.http.preconditions import is_unchanged
from shared.http.requests import body_of

router: Final = APIRouter(prefix="/files")
_NO_STORE: Final = {"Cache-Control": "no-store"}
_PRIVATE: Final = {"Cache-Control": "private, no-cache"}


def _filing(request: Request) -> Filing:
    filing: Filing = request.app.state.filing
    return filing


def _cursors(request: Request) -> Cursors:
    cursors: Cursors = request.app.state.cursors
    return cursors


def _idempotency(request: Request) -> Idempotency:
    idempotency: Idempotency = request.app.state.idempotency
    return idempotency


Desk = Annotated[Filing, Depends(_filing)]
Creator = Annotated[Identity, permitted("file.create")]
Lister = Annotated[Identity, permitted("file.list")]
Reader = Annotated[Identity, permitted("file.get")]
Writer = Annotated[Identity, permitted("file.complete")]
Deleter = Annotated[Identity, permitted("file.delete")]
Executor = Annotated[Identity, permitted("file.parse")]
PartNumber = Annotated[int, Path(ge=1, le=10_000)]


@router.post("")
def create(
    caller: Creator,
    desk: Desk,
    body: Annotated[NewFileBody, Depends(body_of(NewFileBody))],
    once: Annotated[Idempotency, Depends(_idempotency)],
    key: IdempotencyKey = None,
) -> Response:
    def work(seed: str) -> Response:
        file, upload = desk.uploads.create(caller, body.new_file(), seed)
        located = {"Location": f"/files/{file.id}", "ETag": _etag(file)}
        return _json({"file": shown(file), "upload": upload}, 201, located)

    return once.once(caller, "POST /files", key, body.model_dump(), work)


@router.get("")
def page(
    caller: Lister,
    desk: Desk,
    cursors: Annotated[Cursors, Depends(_cursors)],
    limit: PageLimit = 50,
    cursor: str | None = None,
    owner: Annotated[str, Query(max_length=200)] = "",
    session_id: Annotated[str, Query(max_length=64)] = "",
    status: StatusFilter = None,
) -> Response:
    if owner not in ("", caller.user) and not caller.is_admin and not session_id:
        raise PermissionDenied("only admins list other users' files")
    wanted = Wanted(owner=owner, session_id=session_id, status=status or "")
    filters = {"list": "files", "owner": owner, "session_id": session_id, "status": wanted.status}
    before = cursors.position(caller.scope, filters, cursor)
    found, following = desk.files.page(caller, wanted, before, limit)
    next_cursor = cursors.signed(caller.scope, filters, following) if following else None
    return _json({"items": [shown(file) for file in found], "next_cursor": next_cursor})


@router.get("/{file_id}")
def get(file_id: str, caller: Reader, desk: Desk, if_none_match: IfNoneMatch = None) -> Response:
    return _file(desk.files.get(caller, file_id), if_none_match)


@router.get("/{file_id}/content")
def content(file_id: str, caller: Reader, desk: Desk, accept: Annotated[str, Header()] = "") -> Response:
    found = desk.files.content(caller, file_id)
    if "application/json" in accept.lower():
        return _json(found, headers=_NO_STORE)
    return Response(status_code=307, headers={"Location": found["url"], **_NO_STORE})


@router.get("/{file_id}/parsed")
def parsed(file_id: str, caller: Reader, desk: Desk) -> Response:
    return Response(desk.files.parsed(caller, file_id), headers=_PRIVATE, media_type="application/json")


@router.post("/{file_id}/parse")
def parse_again(file_id: str, caller: Executor, desk: Desk) -> Response:
    return _json(shown(desk.files.parse_again(caller, file_id)), 202)


@router.post("/{file_id}/complete")
def complete(
    file_id: str, caller: Writer, desk: Desk, body: Annotated[CompleteBody, Depends(body_of(CompleteBody))]
) -> Response:
    file = desk.uploads.complete(caller, file_id, body.listed())
    return _json({**shown(file), "location": f"/files/{file.id}/content"}, headers={"ETag": _etag(file)})


@router.get("/{file_id}/parts")
def parts(file_id: str, caller: Writer, desk: Desk) -> Response:
    found = desk.uploads.parts(caller, file_id)
    return _json([{"PartNumber": part.number, "Size": part.size, "ETag": f'"{part.etag}"'} for part in found])


@router.get("/{file_id}/parts/{number}")
def sign_part(file_id: str, number: PartNumber, caller: Writer, desk: Desk) -> Response:
    signed = desk.uploads.sign_part(caller, file_id, number)
    return _json({**request_shown(signed), "expires": signed.seconds}, headers=_NO_STORE)


@router.delete("/{file_id}/parts")
def abort(file_id: str, caller: Deleter, desk: Desk) -> Response:
    desk.files.abort(caller, file_id)
    return Response(status_code=204)


@router.delete("/{file_id}")
def delete(file_id: str, caller: Deleter, desk: Desk) -> Response:
    desk.files.delete(caller, file_id)
    return Response(status_code=204)


def _etag(file: File) -> str:
    return f'"{file.version}"'


def _file(file: File, if_none_match: str | None) -> Response:
    tagged = {"ETag": _etag(file)}
    if is_unchanged(if_none_match, _etag(file)):
        return Response(status_code=304, headers={**tagged, **_PRIVATE})
    return _json(shown(file), headers=tagged)


def _json(content: Any, status: Literal[200, 201, 202] = 200, headers: dict[str, str] | None = None) -> Response:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, {**_PRIVATE, **(headers or {})}, "application/json")
