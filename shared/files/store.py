"""Files in Redis: each change is a compare-and-set of the record with its event in the same script."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from shared.auth.due import DueIndex
from shared.auth.identity import Identity
from shared.errors import InvalidToken, LimitReached, NotFound
from shared.files.life import event_type, next_look
from shared.files.model import PLACE_PREFIX, File, Status, decoded, encoded, is_id, shown
from shared.realtime.delivery import Delivery, Event
from shared.realtime.protocol import publication_body
from shared.state.client import Argument, Redis
from shared.state.keys import Key
from shared.state.scripts import script
from shared.tenant.scope import TenantScope

DUE_KIND: Final = "files"
_CHANNELS_AT_ONCE: Final = 200
# By itself only sweep makes room, of promises whose upload never came.
_SWEPT_S: Final = 60
_CREATE: Final = script(__file__, "create_file")
_CHANGE: Final = script(__file__, "change_file")
_READ: Final = script(__file__, "read_file")
_LIST: Final = script(__file__, "list_files")
_FORGET: Final = script(__file__, "forget_file")


class Stepped(NamedTuple):
    """The file after a step (None: no such record), and whether it was this call that took it."""

    file: File | None
    taken: bool


class Room(NamedTuple):
    """How many files a tenant may have, and how many bytes those that live may have together."""

    files: int
    bytes: int


class FileStore:
    """The records of all tenants' files; every method is given the caller's identity or a scope of ours."""

    def __init__(self, redis: Redis, due: DueIndex, delivery: Delivery, now: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._due = due
        self._delivery = delivery
        self._now = now

    def now_ms(self) -> int:
        return int(self._now() * 1000)

    def create(self, identity: Identity, file: File, room: Room) -> File:
        """Records a new file and tells so; an earlier attempt's file if there was one with this id.

        LimitReached when the tenant has no room for it.
        """
        scope = identity.scope
        event, look_ms = self._event(scope, file), next_look(file, file.created_ms)
        answer = self._redis.run(
            _CREATE,
            {**_counted_keys(scope, file), **self._event_keys(event), "user": scope.key("user", identity.user)},
            {
                **self._caller(identity),
                **self._event_args(event, None, file),
                **_named(file),
                "limit": room.files,
                "size": file.size,
                "max_bytes": room.bytes,
                "record": encoded(file),
                "due_ms": look_ms,
            },
            before=[*event.before, *self._due.note(scope, DUE_KIND, look_ms)],
        )
        if answer == "full":
            raise LimitReached(f"the tenant has {room.files} files already", retry_after=_SWEPT_S)
        if answer == "large":
            raise LimitReached(f"the tenant's files would have more than {room.bytes} bytes", retry_after=_SWEPT_S)
        if answer == "exists":
            return self.read(identity, file.id)
        self._delivery.finish(event, *_not_revoked(answer))
        return file

    def read(self, identity: Identity, file_id: str) -> File:
        """The file as it is now, of the caller's tenant; NotFound, or InvalidToken for a revoked token."""
        if not is_id(file_id):
            raise NotFound
        scope = identity.scope
        keys = {"user": scope.key("user", identity.user), "file": scope.key("file", file_id)}
        return self._seen(_not_revoked(self._redis.run(_READ, keys, self._caller(identity), idempotent=True)))

    def load(self, scope: TenantScope, file_id: str) -> File | None:
        """The record, for our own work: tombstones and all."""
        record = self._redis.call("GET", scope.key("file", file_id), idempotent=True)
        return None if record is None else decoded(record)

    def change(self, scope: TenantScope, old: File, new: File) -> bool:
        """Puts `new` in the place of `old` and tells so; False when the record is not `old` any more."""
        event = self._event(scope, new)
        answer = self._redis.run(
            _CHANGE,
            {**_counted_keys(scope, new), **self._event_keys(event)},
            {
                **self._event_args(event, old, new),
                **_named(new),
                "version": old.version,
                "record": encoded(new),
                "due_ms": new.due_ms,
                "listed": int(new.status is not Status.DELETED),
                "freed": old.size if old.is_live and not new.is_live else 0,
            },
            before=[*event.before, *(self._due.note(scope, DUE_KIND, new.due_ms) if new.due_ms else ())],
        )
        if answer == "stale":
            return False
        self._delivery.finish(event, *answer)
        return True

    def step(self, scope: TenantScope, file_id: str, step: Callable[[File], File | None]) -> Stepped:
        """Takes one step of the file's life, however many others are at it; `step` may be asked more than once."""
        while True:
            file = self.load(scope, file_id)
            following = file and step(file)
            if file is None or following is None:
                return Stepped(file, False)
            if self.change(scope, file, following):
                return Stepped(following, True)

    def page(self, identity: Identity, owner: str, session: str, before: str, limit: int) -> list[str]:
        """Places after the place `before`, newest first: of a session's files, else an owner's, else all."""
        scope = identity.scope
        listed = _list_key(scope, owner, session)
        keys = {"user": scope.key("user", identity.user), "list": listed}
        args = {**self._caller(identity), "before": before, "limit": limit}
        return list(_not_revoked(self._redis.run(_LIST, keys, args, idempotent=True)))

    def read_many(self, scope: TenantScope, places: Sequence[str]) -> list[File]:
        """Those of the files that are still there, by one command."""
        if not places:
            return []
        keys = [scope.key("file", place[PLACE_PREFIX:]) for place in places]
        records = self._redis.call("MGET", *keys, idempotent=True)
        return [decoded(record).seen_at(self.now_ms()) for record in records if record is not None]

    def channels_of(self, scope: TenantScope, session_id: str) -> Iterator[tuple[str, str]]:
        """The channels of a session's files, each with the file's owner."""
        listed, place, full = _list_key(scope, "", session_id), "", True
        while full:
            bounds = f"({place}" if place else "+", "-"
            places = self._redis.call(
                "ZRANGE", listed, *bounds, "BYLEX", "REV", "LIMIT", 0, _CHANNELS_AT_ONCE, idempotent=True
            )
            for file in self.read_many(scope, places):
                yield f"file:{file.id}", file.owner
            full = len(places) == _CHANNELS_AT_ONCE
            place = places[-1] if places else ""

    def due(self, scope: TenantScope, now_ms: int, limit: int) -> list[str]:
        """Ids of files that somebody must look at, the oldest first."""
        found = self._redis.call(
            "ZRANGE", scope.key("files", "due"), "-inf", now_ms, "BYSCORE", "LIMIT", 0, limit, idempotent=True
        )
        return list(found)

    def next_due(self, scope: TenantScope) -> int | None:
        """The earliest deadline of the tenant's files, unix ms."""
        found = self._redis.call("ZRANGE", scope.key("files", "due"), 0, 0, "WITHSCORES", idempotent=True)
        return int(float(found[1])) if found else None

    def forget(self, scope: TenantScope, file: File) -> None:
        """Drops the record for good."""
        self._redis.run(_FORGET, _keys(scope, file), {**_named(file), "version": file.version}, idempotent=True)

    def postpone(self, scope: TenantScope, file_id: str, due_ms: int) -> None:
        """Moves a deadline that the record still holds."""
        self._redis.call("ZADD", scope.key("files", "due"), "XX", due_ms, file_id, idempotent=True)

    def forget_due(self, scope: TenantScope, file_id: str) -> None:
        """Drops a deadline whose record is gone."""
        self._redis.call("ZREM", scope.key("files", "due"), file_id, idempotent=True)

    def _seen(self, record: str | None) -> File:
        return existing(None if record is None else decoded(record).seen_at(self.now_ms()))

    def _caller(self, identity: Identity) -> dict[str, Argument]:
        now_s = self.now_ms() // 1000
        return {"auth_session": identity.session, "issued_at": identity.issued_at, "now_s": now_s}

    def _event(self, scope: TenantScope, file: File) -> Event:
        second = f"session:{file.session_id}" if file.session_id else None
        return self._delivery.event(scope, f"file:{file.id}", second)

    def _event_keys(self, event: Event) -> dict[str, Key]:
        absent = {"channel2": event.keys["channel"], "log2": event.keys["log"]}
        return {**absent, **event.keys}

    def _event_args(self, event: Event, old: File | None, new: File) -> dict[str, Argument]:
        body = {"type": event_type(old, new), "file_id": new.id, "version": new.version, "file": shown(new)}
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return {"channel2": "", **event.args, "body": publication_body(data)}


def existing(file: File | None) -> File:
    """The file, unless there is none any more: NotFound."""
    if file is None or file.status is Status.DELETED:
        raise NotFound
    return file


def _keys(scope: TenantScope, file: File) -> Mapping[str, Key]:
    return {
        "file": scope.key("file", file.id),
        "due": scope.key("files", "due"),
        "all": _list_key(scope, "", ""),
        "owned": _list_key(scope, file.owner, ""),
        "shared": _list_key(scope, "", file.session_id) if file.session_id else _list_key(scope, file.owner, ""),
    }


def _counted_keys(scope: TenantScope, file: File) -> Mapping[str, Key]:
    return {**_keys(scope, file), "bytes": scope.key("files", "bytes")}


def _named(file: File) -> dict[str, Argument]:
    return {"id": file.id, "place": file.place}


def _list_key(scope: TenantScope, owner: str, session: str) -> Key:
    if session:
        return scope.key("files", "session", session)
    return scope.key("files", "owner", owner) if owner else scope.key("files")


def _not_revoked(answer: Any) -> Any:
    if answer == "revoked":
        raise InvalidToken("the token was revoked")
    return answer
