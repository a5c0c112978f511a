"""`/api/*` (Centrifugo's server API) and `/connections`."""

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from shared.auth.identity import Identity
from shared.errors import NotFound
from shared.http.dependencies import Caller, PageLimit, permitted
from shared.http.pagination import Cursors
from shared.realtime.channels import Channels
from shared.realtime.protocol import FORCE_DISCONNECT
from shared.realtime.server_api import ServerApi

router = APIRouter()


def channels_of(request: Request) -> Channels:
    found: Channels = request.app.state.channels
    return found


def cursors_of(request: Request) -> Cursors:
    found: Cursors = request.app.state.cursors
    return found


TheChannels = Annotated[Channels, Depends(channels_of)]
TheCursors = Annotated[Cursors, Depends(cursors_of)]


@router.post("/api/{method}")
async def server_api(method: str, request: Request, caller: Caller, channels: TheChannels) -> Response:
    """One method of Centrifugo's server API; its errors are answers with status 200."""
    answer = ServerApi(channels).answer(caller, method, await request.body())
    return Response(msgspec.json.encode(answer), media_type="application/json")


@router.get("/connections")
async def list_connections(
    channels: TheChannels,
    cursors: TheCursors,
    caller: Annotated[Identity, permitted("connections.list")],
    limit: PageLimit = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> dict[str, Any]:
    """The tenant's open connections."""
    position = cursors.position(caller.scope, {}, cursor)
    page = channels.page_of_connections(caller.scope, position, limit)
    items = [asdict(item) for item in page.items]
    following = cursors.signed(caller.scope, {}, page.next) if page.next else None
    return {"items": items, "next_cursor": following}


@router.delete("/connections/{connection}", status_code=204)
async def close_connection(
    connection: str,
    channels: TheChannels,
    caller: Annotated[Identity, permitted("connections.close")],
) -> None:
    """Disconnects one connection; its client does not come back by itself."""
    if not channels.disconnect(caller.scope, connection, FORCE_DISCONNECT):
        raise NotFound()
