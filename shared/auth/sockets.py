"""The one identity path of a socket: its record says whose it is, written once when identity is proven.

The record stands outside the tenants' key spaces because a frame brings nothing but the connection's id.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.auth.identity import Identity
from shared.state.client import Argument, Redis
from shared.state.keys import SEAL, Key
from shared.tenant.scope import SCOPE_SEAL, TenantScope

# A socket lives two hours; API Gateway may take a little longer to say so.
SOCKET_TTL_S: Final = 7_800
# It is of use until the first frame, which may come late.
_CHOICE_TTL_S: Final = 60
_REMEMBERED: Final = 10_000


@dataclass(frozen=True)
class Socket:
    """A connection and whose it is; what it may do stands in its connection record."""

    connection: str
    scope: TenantScope
    user: str
    session: str
    expires_at: int
    """When the token that proved the identity ends, unix s; 0 never. Refreshing moves the connection record's."""
    address: str = ""
    """Where it came from, for whom its connection record is lost."""


class Sockets:
    """Reads and writes `{sock:<connection>}`; remembers, because a record never changes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._known: dict[str, Socket] = {}

    def writing(self, connection: str, identity: Identity, address: str) -> tuple[Socket, list[Argument]]:
        """The socket and the command that records it, unless it is somebody's, before the script that admits it."""
        known = (identity.user, identity.session, identity.expires_at, address)
        socket = Socket(connection, identity.scope, *known)
        record = json.dumps([identity.scope.label, *known])
        return socket, ["SET", _key(connection), record, "EX", SOCKET_TTL_S, "NX", "GET"]

    def is_anothers(self, socket: Socket, recorded: str | None) -> bool:
        """Whether the recording command answered that the socket was given to another user or tenant before."""
        if recorded is None:
            return False
        found = _socket(socket.connection, recorded)
        return (found.scope, found.user) != (socket.scope, socket.user)

    def remember(self, socket: Socket) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[socket.connection] = socket

    def find_many(self, connections: Sequence[str]) -> list[Socket | None]:
        """Whose each connection is, in one round trip."""
        unknown = [connection for connection in connections if connection not in self._known]
        asked: list[list[Argument]] = [["GETEX", _key(connection)] for connection in unknown]
        for connection, record in zip(unknown, self._redis.pipeline(asked, idempotent=True), strict=True):
            if isinstance(record, str):
                self.remember(_socket(connection, record))
        return [self._known.get(connection) for connection in connections]

    def find(self, connection: str) -> Socket | None:
        """Whose the connection is; None while nobody has proven an identity on it."""
        if connection not in self._known:
            record = self._redis.call("GETEX", _key(connection))
            if record is None:
                return None
            self.remember(_socket(connection, record))
        return self._known[connection]

    def keep_choice(self, connection: str, tenant: str) -> None:
        """The tenant that a handshake without identity asked for; a first frame's token is checked against it."""
        self._redis.call("SET", _choice_key(connection), tenant, "EX", _CHOICE_TTL_S, idempotent=True)

    def choice(self, connection: str) -> str | None:
        """What `keep_choice` kept."""
        kept: str | None = self._redis.call("GET", _choice_key(connection), idempotent=True)
        return kept


def _socket(connection: str, record: str) -> Socket:
    """What a later version of the code adds goes to the end."""
    tenant, *known = json.loads(record)
    return Socket(connection, TenantScope(tenant, SCOPE_SEAL), *known[:4])


def _key(connection: str) -> Key:
    return Key(f"{{sock:{connection}}}", SEAL)


def _choice_key(connection: str) -> Key:
    return Key(f"{{sock:{connection}}}:tenant", SEAL)
