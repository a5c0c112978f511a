"""`$connect`: refuses or admits a socket."""

import time
from typing import Any, Final

from shared.auth.identify import Authenticator
from shared.auth.revoked_sessions import RevokedSessions
from shared.errors import PermissionDenied, TokenExpired, TrafficCopError, Unauthorized
from shared.observe.log import failed
from shared.realtime.handshake import Handshake, handshake_of
from shared.realtime.realtime import Realtime
from shared.settings import settings
from shared.tenant.scope import is_tenant_id

# How long a socket without identity may stay (3502 by sweep).
_PROVE_WITHIN_MS: Final = 15_000

realtime = Realtime.from_settings(settings())
authenticator = Authenticator(settings(), revoked=RevokedSessions(realtime.redis))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    handshake = handshake_of(event)
    try:
        admit(handshake)
    except TrafficCopError as error:
        return {"statusCode": error.status, "body": error.title}
    except Exception as error:
        failed("connect", error, context)
        return {"statusCode": 500}
    accepted: dict[str, Any] = {"statusCode": 200}
    if handshake.subprotocol:
        accepted["headers"] = {"Sec-WebSocket-Protocol": handshake.subprotocol}
    return accepted


def admit(handshake: Handshake) -> None:
    """With identity where the token is good; without where it has expired or none came."""
    try:
        identity = authenticator.from_token(handshake.token, handshake.tenant)
    except TokenExpired:
        return wait_for_token(handshake)
    except Unauthorized:
        if handshake.token:
            raise
        return wait_for_token(handshake)
    if not identity.permissions:
        raise PermissionDenied()
    realtime.connections.admit(handshake.connection, identity, handshake.address)


def wait_for_token(handshake: Handshake) -> None:
    if not settings().allow_tokenless_sockets:
        raise Unauthorized()
    if handshake.tenant and is_tenant_id(handshake.tenant):
        realtime.sockets.keep_choice(handshake.connection, handshake.tenant)
    realtime.due.note_socket(handshake.connection, int(time.time() * 1000) + _PROVE_WITHIN_MS)
