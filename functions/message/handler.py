"""`$default`: the client protocol's commands."""

from typing import Any

from functions.message.commands import Commands
from functions.message.frames import answer
from shared.auth.identify import Authenticator
from shared.auth.revoked_sessions import RevokedSessions
from shared.auth.subscription_tokens import SubscriptionTokens
from shared.files.access import FileAccess
from shared.files.store import FileStore
from shared.observe.metrics import measured
from shared.realtime.realtime import Realtime
from shared.sessions.access import SessionAccess
from shared.sessions.store import SessionStore
from shared.settings import settings

realtime = Realtime.from_settings(settings())
sessions = SessionAccess(SessionStore(realtime.redis, realtime.due, realtime.delivery))
files = FileAccess(FileStore(realtime.redis, realtime.due, realtime.delivery), sessions.may_read, sessions.writable)
may_read = {"session": sessions.may_read, "file": files.may_read}
commands = Commands(
    realtime,
    Authenticator(settings(), revoked=RevokedSessions(realtime.redis)),
    SubscriptionTokens(settings()),
    may_read,
)


@measured
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
