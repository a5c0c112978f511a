"""Which tenants have something due: sixteen zsets of `kind|tenant` by the earliest deadline (unix ms).

An entry is written before the tenant's script, so it may come for nothing but is never missing; an environment writes
one only when the deadline that it knows of is later or past.
"""

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from shared.state.client import Argument, Redis
from shared.state.keys import SEAL, Key
from shared.tenant.scope import SCOPE_SEAL, TenantScope

SHARDS: Final = 16
# An environment writes an entry at most a script's time before the script; after this long an empty one is stale.
_STALE_MS: Final = 120_000
_PENDING: Final = "socket"


@dataclass(frozen=True)
class Due:
    """One entry that sweep found: what kind of thing is due and whose."""

    kind: str
    name: str
    deadline_ms: int

    @property
    def scope(self) -> TenantScope:
        return TenantScope(self.name, SCOPE_SEAL)


class DueIndex:
    """Notes deadlines, and lists the tenants whose time has come."""

    def __init__(self, redis: Redis, now: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._now = now
        self._noted: dict[tuple[str, str], int] = {}

    def note(self, scope: TenantScope, kind: str, deadline_ms: int) -> list[list[Argument]]:
        """The commands (none or one) to send before the script that creates what is due then."""
        known = self._noted.get((kind, scope.label), 0)
        if self._now() * 1000 < known <= deadline_ms:
            return []
        self._noted[kind, scope.label] = deadline_ms
        return [_adding(kind, scope.label, deadline_ms)]

    def note_socket(self, connection: str, deadline_ms: int) -> None:
        """A socket without identity is looked at then."""
        self._redis.call(*_adding(_PENDING, connection, deadline_ms), idempotent=True)

    def due(self, limit: int = 1000) -> Iterator[Due]:
        """Entries whose deadline has passed, of all shards."""
        now_ms = int(self._now() * 1000)
        asked = [["ZRANGE", _key(i), "-inf", now_ms, "BYSCORE", "LIMIT", 0, limit, "WITHSCORES"] for i in range(SHARDS)]
        for found in self._redis.pipeline(asked, idempotent=True):
            if isinstance(found, Exception):
                raise found
            for member, score in zip(found[::2], found[1::2], strict=True):
                kind, _, name = member.partition("|")
                yield Due(kind, name, int(float(score)))

    def settle(self, entry: Due, next_ms: int | None) -> None:
        """After an entry's work: its next deadline; none drops it once it is too old to race with a writer."""
        member = f"{entry.kind}|{entry.name}"
        if next_ms is not None:
            self._redis.call("ZADD", _key(_shard(entry.name)), next_ms, member, idempotent=True)
        elif entry.kind == _PENDING or entry.deadline_ms < self._now() * 1000 - _STALE_MS:
            self._redis.call("ZREM", _key(_shard(entry.name)), member, idempotent=True)


def _adding(kind: str, name: str, deadline_ms: int) -> list[Argument]:
    return ["ZADD", _key(_shard(name)), "LT", deadline_ms, f"{kind}|{name}"]


def _shard(name: str) -> int:
    return zlib.crc32(name.encode()) % SHARDS


def _key(shard: int) -> Key:
    return Key(f"{{sys}}:due:{shard}", SEAL)
