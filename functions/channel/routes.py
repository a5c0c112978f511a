"""`/api/*` (Centrifugo's server API) and `/connections`."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from shared.auth.identity import Identity
from shared.auth.revocations import Revocations
from shared.errors import NotFound, TrafficCopError, Unauthorized
from shared.http.dependencies import Caller, PageLimit, identify, permitted
from shared.http.pagination import Cursors
from shared.realtime.channels import Channels
from shared.realtime.protocol import FORCE_DISCONNECT
from shared.realtime.roster import ListedConnection, Roster
from shared.realtime.server_api import ServerApi, error_answer

router = APIRouter()


def _channels(request: Request) -> Channels:
    found: Channels = request.app.state.channels
    return found


def _roster(request: Request) -> Roster:
    found: Roster = request.app.state.roster
    return found


def _cursors(request: Request) -> Cursors:
    found: Cursors = request.app.state.cursors
    return found


def _api(request: Request) -> ServerApi:
    found: ServerApi = request.app.state.server_api
    return found


def _unrevoked(request: Request, caller: Caller) -> None:
    """Sessions' and files' scripts ask this themselves; what stands here has no script that knows the caller."""
    Revocations(request.app.state.redis, caller.scope).refuse(caller)


TheChannels = Annotated[Channels, Depends(_channels)]
TheRoster = Annotated[Roster, Depends(_roster)]
TheCursors = Annotated[Cursors, Depends(_cursors)]
TheApi = Annotated[ServerApi, Depends(_api)]


@router.post("/api/{method}")
async def server_api(method: str, request: Request, api: TheApi) -> Response:
    """One method of Centrifugo's server API: 401 without a good credential, else 200 whatever happens."""
    try:
        caller = identify(request)
        _unrevoked(request, caller)
    except Unauthorized:
        raise
    except TrafficCopError as error:
        return _json(error_answer(error))
    return _json(api.answer(caller, method, await request.body()))


@router.get("/connections", dependencies=[Depends(_unrevoked)])
def list_connections(
    caller: Annotated[Identity, permitted("connections.list")],
    roster: TheRoster,
    cursors: TheCursors,
    limit: PageLimit = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """The tenant's open connections."""
    filters = {"list": "connections"}
    page = roster.page(caller.scope, cursors.position(caller.scope, filters, cursor), limit)
    following = cursors.signed(caller.scope, filters, page.next) if page.next else None
    return _json({"items": [_shown(item) for item in page.items], "next_cursor": following})


@router.delete("/connections/{connection}", dependencies=[Depends(_unrevoked)])
def close_connection(
    connection: str, caller: Annotated[Identity, permitted("connections.close")], channels: TheChannels
) -> Response:
    """Disconnects one connection; its client does not come back by itself."""
    if not channels.disconnect(caller.scope, connection, FORCE_DISCONNECT):
        raise NotFound()
    return Response(status_code=204)


def _shown(connection: ListedConnection) -> dict[str, Any]:
    return {
        "client": connection.client,
        "user": connection.user,
        "channels": connection.channels,
        "connected_at": _timestamp(connection.connected_at),
        "expires_at": _timestamp(connection.expires_at) if connection.expires_at else None,
    }


def _timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(content: Any) -> Response:
    return Response(msgspec.json.encode(content), headers={"Cache-Control": "no-store"}, media_type="application/json")
