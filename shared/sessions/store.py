"""Sessions in Redis: each change is a compare-and-set of the record with its event in the same script."""

import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from shared.auth.due import DueIndex
from shared.auth.identity import Identity
from shared.errors import InvalidToken, LimitReached
from shared.realtime.delivery import Delivery
from shared.realtime.protocol import publication_body
from shared.sessions.model import FIELDS, Session, is_session_id, record_of, session_of
from shared.sessions.places import kept_key, live_key, record_key, review, review_key
from shared.state.client import Argument, Redis
from shared.state.keys import Key
from shared.state.scripts import script
from shared.tenant.scope import TenantScope

DUE_KIND: Final = "sessions"
_READ: Final = script(__file__, "read_session")
_CREATE: Final = script(__file__, "create_session")
_CHANGE: Final = script(__file__, "change_session")
_TOUCH: Final = script(__file__, "touch_session")
_LIST: Final = script(__file__, "list_sessions")
_BATCH: Final = 50
_LONGEST_WAIT_S: Final = 3_600


@dataclass(frozen=True)
class IndexChange:
    """What happens to one index of the tenant: `add` with a score, or `remove`."""

    key: Key
    what: str
    member: str
    score: int = 0


@dataclass(frozen=True)
class Change:
    """A session's next state, the data of the event that tells it ("" for none), and what moves in the indexes.

    With `review_ms`, sweep sees then (unix ms) who may not hear of the session any more, if that was not done before.
    """

    after: Session
    event: str
    indexes: Sequence[IndexChange] = ()
    delete: bool = False
    review_ms: int | None = None
    request: str = field(default_factory=lambda: secrets.token_hex(8))


class Changed(NamedTuple):
    """Whether it was done, the session as it is now (None when it is gone), and whether anybody may have heard."""

    done: bool
    session: Session | None
    heard: bool = False


class SessionStore:
    """The records of all tenants' sessions; every method is given the caller's identity or a scope of ours."""

    def __init__(self, redis: Redis, due: DueIndex, delivery: Delivery, now: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._due = due
        self._delivery = delivery
        self._now = now

    def now_ms(self) -> int:
        return int(self._now() * 1000)

    def read(self, identity: Identity, session_id: str) -> Session | None:
        """The session as its record says (see `Session.seen_at`); InvalidToken for a revoked token."""
        if not is_session_id(session_id):
            return None
        scope = identity.scope
        keys = {"user": scope.key("user", identity.user), "session": record_key(scope, session_id)}
        return session_of(_not_revoked(self._redis.run(_READ, keys, self._caller(identity), idempotent=True)))

    def create(self, identity: Identity, change: Change, most: int, most_owned: int) -> bool:
        """Writes a new session; False when there is one of that id.

        Raises LimitReached above a cap; its `retry_after` is 0 where a session whose time is over still counts.
        """
        scope, session = identity.scope, change.after
        event = self._delivery.event(scope, f"session:{session.id}")
        fields = record_of(session)
        answer = self._redis.run(
            _CREATE,
            {
                **event.keys,
                "user": scope.key("user", identity.user),
                "session": record_key(scope, session.id),
                "live": live_key(scope),
                "live_owned": live_key(scope, session.owner),
            },
            {
                **event.args,
                **self._caller(identity),
                "most": most,
                "most_owned": most_owned,
                **self._writing(change, fields, session.kept_ms),
            },
            more_keys=[index.key for index in change.indexes],
            more_args=[*fields, *_flat(change.indexes)],
            before=[*event.before, *self._due.note(scope, DUE_KIND, session.expires_ms)],
            idempotent=True,
        )
        if _not_revoked(answer) == "exists":
            return False
        outcome, told = answer
        if outcome != "created":
            whose, limit = ("tenant", most) if outcome == "full" else ("user", most_owned)
            raise self._full(whose, limit, float(told))
        self._delivery.finish(event, told)
        return True

    def _full(self, whose: str, limit: int, first_end_ms: float) -> LimitReached:
        wait_s = math.ceil((first_end_ms - self.now_ms()) / 1000)
        return LimitReached(
            f"the {whose} has {limit} active sessions, the most allowed: end or delete some",
            retry_after=min(max(wait_s, 0), _LONGEST_WAIT_S),
        )

    def change(self, scope: TenantScope, before: Session, change: Change) -> Changed:
        """Puts the change in the place of `before` and tells so."""
        event = self._delivery.event(scope, f"session:{before.id}")
        fields = [] if change.delete else _differences(before, change.after)
        indexes = [*change.indexes, *_review(scope, change)]
        status, *rest = self._redis.run(
            _CHANGE,
            {**event.keys, "session": record_key(scope, before.id)},
            {
                **event.args,
                "version": before.stored_version,
                "touched": before.touched_ms,
                "delete": int(change.delete),
                **self._writing(change, fields, _moved(before, change.after)),
            },
            more_keys=[index.key for index in indexes],
            more_args=[*fields, *_flat(indexes)],
            before=[*event.before, *self._note_review(scope, change)],
            idempotent=True,
        )
        if status != "done":
            return Changed(False, session_of(rest))
        self._delivery.finish(event, rest[0])
        return Changed(True, change.after, heard=bool(rest[0]))

    def touch(self, scope: TenantScope, before: Session, after: Session) -> bool:
        """Notes a use; False when the session is not active any more."""
        fields = _differences(before, after)
        args = self._writing(Change(after, ""), fields, _moved(before, after))
        del args["body"]
        keys = {"session": record_key(scope, before.id)}
        return bool(self._redis.run(_TOUCH, keys, args, more_args=fields, idempotent=True))

    def members(self, identity: Identity, indexes: Sequence[Key], after: str, limit: int) -> list[str]:
        """Members of the indexes after a position, newest first, each once."""
        found = self._redis.run(
            _LIST,
            {"user": identity.scope.key("user", identity.user)},
            {**self._caller(identity), "from": f"({after}" if after else "+", "limit": limit},
            more_keys=indexes,
            idempotent=True,
        )
        distinct = {member for members in _not_revoked(found) for member in members}
        return sorted(distinct, reverse=True)[:limit]

    def read_many(self, scope: TenantScope, ids: Sequence[str]) -> list[Session | None]:
        """The records of the ids, None where there is none."""
        commands: list[list[Argument]] = [["HMGET", record_key(scope, session_id), *FIELDS] for session_id in ids]
        records: list[Session | None] = []
        for start in range(0, len(commands), _BATCH):
            for values in self._redis.pipeline(commands[start : start + _BATCH], idempotent=True):
                if isinstance(values, Exception):
                    raise values
                records.append(session_of(values))
        return records

    def due(self, index: Key, now_ms: int, limit: int) -> list[str]:
        """Ids in a time index whose time has come, earliest first."""
        found = self._redis.call("ZRANGE", index, "-inf", now_ms, "BYSCORE", "LIMIT", 0, limit, idempotent=True)
        return list(found)

    def next_due(self, scope: TenantScope) -> int | None:
        """The earliest deadline of the tenant's sessions, unix ms."""
        first: list[list[Argument]] = [
            ["ZRANGE", key, 0, 0, "WITHSCORES"] for key in (live_key(scope), kept_key(scope), review_key(scope))
        ]
        found = self._redis.pipeline(first, idempotent=True)
        for entry in found:
            if isinstance(entry, Exception):
                raise entry
        return min((int(float(entry[1])) for entry in found if entry), default=None)

    def review(self, scope: TenantScope, sessions: Sequence[Session], at_ms: int) -> None:
        """Has sweep see then who may not hear of the sessions any more."""
        entries = [part for session in sessions for part in (at_ms, review(session))]
        if entries:
            self._redis.call("ZADD", review_key(scope), *entries, idempotent=True)

    def reindex(self, changes: Sequence[IndexChange]) -> None:
        """Index entries that do not agree with their records."""
        commands: list[list[Argument]] = [
            ["ZADD", index.key, "XX", index.score, index.member]
            if index.what == "add"
            else ["ZREM", index.key, index.member]
            for index in changes
        ]
        self._redis.pipeline(commands, idempotent=True)

    def _note_review(self, scope: TenantScope, change: Change) -> list[list[Argument]]:
        return [] if change.review_ms is None else self._due.note(scope, DUE_KIND, change.review_ms)

    def _caller(self, identity: Identity) -> dict[str, Argument]:
        now_s = self.now_ms() // 1000
        return {"auth_session": identity.session, "issued_at": identity.issued_at, "now_s": now_s}

    def _writing(self, change: Change, fields: Sequence[str], keep_until_ms: int | None) -> dict[str, Argument]:
        return {
            "request": change.request,
            "fields": len(fields),
            "keep_until_ms": "" if keep_until_ms is None else keep_until_ms,
            "body": publication_body(change.event) if change.event else "",
        }


def _moved(before: Session, after: Session) -> int | None:
    """The new end of the record's key, if it changes."""
    return after.kept_ms if after.kept_ms != before.kept_ms else None


def _differences(before: Session, after: Session) -> list[str]:
    old, new = record_of(before), record_of(after)
    return [text for i in range(0, len(new), 2) if new[i + 1] != old[i + 1] for text in (new[i], new[i + 1])]


def _review(scope: TenantScope, change: Change) -> list[IndexChange]:
    if change.review_ms is None:
        return []
    return [IndexChange(review_key(scope), "add", review(change.after), change.review_ms)]


def _flat(indexes: Sequence[IndexChange]) -> list[Argument]:
    return [part for index in indexes for part in (index.what, index.score, index.member)]


def _not_revoked(answer: Any) -> Any:
    if answer == "revoked":
        raise InvalidToken("the token was revoked")
    return answer
