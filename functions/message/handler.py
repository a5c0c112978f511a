"""`$default`: the client protocol's commands."""

from typing import Any

from shared.auth.identify import Authenticator

from functions.message.commands import Commands
from functions.message.frames import answer
from shared.realtime.realtime import Realtime
from shared.settings import settings

realtime = Realtime.from_settings(settings())
commands = Commands(realtime, Authenticator(settings()), {})


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    request = event["requestContext"]
    frame = answer(
        commands,
        realtime.delivery,
        connection=request["connectionId"],
        address=request["identity"]["sourceIp"],
        text=event.get("body") or "",
        context=context,
    )
    return {"statusCode": 200, "body": frame}
