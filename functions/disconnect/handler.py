"""`$disconnect`: forgets a socket. Best effort; the lease's end is what correctness rests on."""

from typing import Any

from shared.observe.log import failed
from shared.realtime.realtime import Realtime
from shared.settings import settings

realtime = Realtime.from_settings(settings())


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    try:
        socket = realtime.sockets.find(event["requestContext"]["connectionId"])
        if socket is not None:
            realtime.connections.disconnect(socket)
    except Exception as error:
        failed("disconnect", error, context)
    return {"statusCode": 200}
