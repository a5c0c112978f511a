"""Which tenants have something due: sixteen zsets of `kind|tenant` by the earliest deadline (unix ms).

An entry is written before the tenant's script and in the same round trip, so it may come for nothing; an
environment writes one only when the deadline that it knows of is later or past. Since sweep may come upon that one
meanwhile, each note says in the same command how long it is trusted, and for so long sweep goes on looking.
"""

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from shared.state.client import Argument, Redis
from shared.state.keys import SEAL, Key
from shared.state.scripts import script
from shared.tenant.scope import SCOPE_SEAL, TenantScope

SHARDS: Final = 16
SOCKET: Final = "socket"
_SWEEP_LEASE_MS: Final = 58_000
_VISIT_MS: Final = 60_000
# Should the entry be lost all the same, it is made up for by the next note after this time.
_TRUSTED_MS: Final = 60_000
# Clocks differ, and what was sent in trust of a note may arrive a little after that.
_UNDER_WAY_MS: Final = 5_000
# A trust stands among the deadlines as what its end is short of this: LT then keeps the latest, and none is ever due.
_NEVER_MS: Final = 1 << 52
_SETTLE: Final = script(__file__, "settle")


@dataclass(frozen=True)
class Due:
    """One entry that sweep found: what kind of thing is due and whose."""

    kind: str
    name: str
    deadline_ms: int

    @property
    def scope(self) -> TenantScope:
        return TenantScope(self.name, SCOPE_SEAL)

    @property
    def member(self) -> str:
        return f"{self.kind}|{self.name}"


class DueIndex:
    """Notes deadlines, and lists the tenants whose time has come."""

    def __init__(self, redis: Redis, now: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._now = now
        self._noted: dict[tuple[str, str], tuple[int, float]] = {}
        self._failures = 0

    def note(self, scope: TenantScope, kind: str, deadline_ms: int) -> list[list[Argument]]:
        """The commands (none or one) to send before the script that creates what is due then."""
        self._doubt_what_may_be_lost()
        known, trusted_ms = self._noted.get((kind, scope.label), (0, 0.0))
        now_ms = self._now() * 1000
        if known <= deadline_ms and now_ms < trusted_ms:
            return []
        trusted_ms = min(deadline_ms, now_ms + _TRUSTED_MS)
        self._noted[kind, scope.label] = (deadline_ms, trusted_ms)
        trust: list[Argument] = [_trust_until(trusted_ms + _UNDER_WAY_MS), _trust(kind, scope.label)]
        return [[*_adding(kind, scope.label, deadline_ms), *trust]]

    def _doubt_what_may_be_lost(self) -> None:
        if self._failures != self._redis.failures:
            self._failures = self._redis.failures
            self._noted.clear()

    def note_socket(self, connection: str, deadline_ms: int) -> None:
        """A socket without identity is looked at then."""
        self._redis.call(*_adding(SOCKET, connection, deadline_ms), idempotent=True)

    def begin_sweep(self) -> bool:
        """Whether this is the only sweep now; a dead one's lease ends by itself."""
        return self._redis.call("SET", _sweep_key(), "1", "NX", "PX", _SWEEP_LEASE_MS) is not None

    def end_sweep(self) -> None:
        self._redis.call("DEL", _sweep_key(), idempotent=True)

    def due(self, limit: int = 1000) -> list[Due]:
        """Entries whose deadline has passed, of all shards, the longest overdue first: no tenant always is the last."""
        return sorted(self._overdue(limit), key=lambda entry: entry.deadline_ms)

    def _overdue(self, limit: int) -> Iterator[Due]:
        now_ms = int(self._now() * 1000)
        asked: list[list[Argument]] = [
            ["ZRANGE", _key(i), "-inf", now_ms, "BYSCORE", "LIMIT", 0, limit, "WITHSCORES"] for i in range(SHARDS)
        ]
        for found in self._redis.pipeline(asked, idempotent=True):
            if isinstance(found, Exception):
                raise found
            for member, score in zip(found[::2], found[1::2], strict=True):
                kind, _, name = member.partition("|")
                yield Due(kind, name, int(float(score)))

    def visit(self, entry: Due) -> int:
        """Marks the entry as looked at and returns the mark for `settle`; after a crash it is due again soon."""
        mark = int(self._now() * 1000) + _VISIT_MS
        self._redis.call("ZADD", _key(_shard(entry.name)), mark, entry.member, idempotent=True)
        return mark

    def drop(self, entries: Sequence[Due]) -> None:
        """Removes entries that nobody notes again, in one round trip."""
        self._redis.pipeline([["ZREM", _key(_shard(entry.name)), entry.member] for entry in entries], idempotent=True)

    def settle(self, entry: Due, mark: int, next_ms: int | None) -> None:
        """After a visit: the next deadline, if any; as long as an environment trusts a note, the next sweep's.

        What a visit left undone is due again now and not before, so that others have their turn first.
        """
        now_ms = int(self._now() * 1000)
        self._redis.run(
            _SETTLE,
            {"due": _key(_shard(entry.name))},
            {
                "member": entry.member,
                "trust": _trust(entry.kind, entry.name),
                "expected": mark,
                "next": "" if next_ms is None else max(next_ms, now_ms),
                "now_ms": now_ms,
                "over": _trust_until(now_ms),
            },
            idempotent=True,
        )


def _adding(kind: str, name: str, deadline_ms: int) -> list[Argument]:
    return ["ZADD", _key(_shard(name)), "LT", deadline_ms, f"{kind}|{name}"]


def _trust(kind: str, name: str) -> str:
    return f"trust|{kind}|{name}"


def _trust_until(milliseconds: float) -> int:
    return _NEVER_MS - int(milliseconds)


def _shard(name: str) -> int:
    return zlib.crc32(name.encode()) % SHARDS


def _key(shard: int) -> Key:
    return Key(f"{{sys}}:due:{shard}", SEAL)


def _sweep_key() -> Key:
    return Key("{sys}:sweep", SEAL)
