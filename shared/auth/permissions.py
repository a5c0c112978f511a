"""The one table of who may do what: operation → permission. An operation without a row may be done by nobody.

Routes are named `<thing>.<what is done>`, commands of the client protocol `protocol.<command>`, methods of the server
API `api.<method>`. What a caller may do it to (his own things, shared ones) is decided by the store.
"""

from typing import Final

from shared.auth.identity import Identity, Permission
from shared.errors import PermissionDenied

_READ, _WRITE, _EXECUTE, _ADMIN = Permission.READ, Permission.WRITE, Permission.EXECUTE, Permission.ADMIN

PERMISSIONS: Final[dict[str, Permission]] = {
    "sessions.create": _WRITE,
    "sessions.list": _READ,
    "sessions.read": _READ,
    "sessions.update": _WRITE,
    "sessions.touch": _WRITE,
    "sessions.end": _WRITE,
    "sessions.delete": _WRITE,
    "sessions.connections": _READ,
    "file.create": _WRITE,
    "file.list": _READ,
    "file.get": _READ,
    "file.complete": _WRITE,
    "file.parse": _EXECUTE,
    "file.delete": _WRITE,
    "connections.list": _ADMIN,
    "connections.close": _ADMIN,
    "protocol.subscribe": _READ,
    "protocol.presence": _READ,
    "protocol.presence_stats": _READ,
    "protocol.history": _READ,
    "protocol.publish": _WRITE,
    "protocol.rpc": _EXECUTE,
    # A user's token needs `admin` for each of these (`require_for_api`).
    "api.publish": _WRITE,
    "api.broadcast": _WRITE,
    "api.presence": _READ,
    "api.presence_stats": _READ,
    "api.history": _READ,
    "api.history_remove": _WRITE,
    "api.channels": _READ,
    "api.info": _READ,
    "api.connections": _READ,
    "api.subscribe": _ADMIN,
    "api.unsubscribe": _ADMIN,
    "api.refresh": _ADMIN,
    "api.disconnect": _ADMIN,
    "api.block_user": _ADMIN,
    "api.unblock_user": _ADMIN,
    "api.revoke_token": _ADMIN,
    "api.invalidate_user_tokens": _ADMIN,
}
NEED_NO_PERMISSION: Final = frozenset(
    f"protocol.{command}" for command in ("connect", "refresh", "sub_refresh", "unsubscribe", "ping", "send")
)
"""What proves or renews an identity, gives something up, or does nothing."""


def require(caller: Identity, operation: str) -> None:
    """Raises PermissionDenied unless the caller may do the operation (KeyError for one that has no row)."""
    needed = PERMISSIONS[operation]
    if not caller.allows(needed):
        raise PermissionDenied(f"needs the permission {needed.value}")


def require_for_api(caller: Identity, method: str) -> None:
    """The server API is for backends: an API key with the permission, or a user who is admin of the tenant."""
    if caller.source == "token" and not caller.is_admin:
        raise PermissionDenied("the server API is for API keys and for users with the permission admin")
    require(caller, f"api.{method}")
