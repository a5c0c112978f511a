"""A session: state that a user's (or a team's) connections share, with a version and an end."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Literal

import msgspec

DEFAULT_TTL_S: Final = 3_600
MAX_TTL_S: Final = 30 * 86_400
MAX_LIFETIME_S: Final = 365 * 86_400
MAX_SHARES: Final = 100
# How long an expired or ended session can still be read after its time.
TOMBSTONE_MS: Final = 86_400_000
# A record outlives its tombstone, so that sweep finds it even after days without a sweep.
_KEPT_MS: Final = 7 * 86_400_000
_RENEWED_BELOW_MS: Final = 2 * 86_400_000
FIELDS: Final = (
    *("id", "owner", "data", "version", "status", "access"),
    *("created", "updated", "touched", "idle", "last", "kept"),
)
_ID: Final = re.compile(r"[0-9a-f]{32}")

Share = Literal["read", "write"]


class Status(StrEnum):
    ACTIVE = "active"
    EXPIRED = "expired"
    ENDED = "ended"


@dataclass(frozen=True)
class Access:
    """Who besides the owner and the admins: everybody in the tenant, and single users."""

    tenant: Share | None = None
    users: Mapping[str, Share] = field(default_factory=dict)

    def share_of(self, user: str) -> frozenset[str]:
        """What the user may do: nothing, read, or read and write."""
        given = {self.tenant, self.users.get(user)}
        if "write" in given:
            return frozenset({"read", "write"})
        return frozenset({"read"} & given)

    def as_dict(self) -> dict[str, Any]:
        return {"tenant": self.tenant, "users": dict(self.users)}


@dataclass(frozen=True)
class Session:
    """Times are unix ms; `data` is JSON text, never parsed unless somebody patches it.

    It ends `idle_ms` after it was last touched, and at `last_ms` at the latest; the store keeps it until `kept_ms`.
    `stored_version` is what a compare-and-set compares.
    """

    id: str
    owner: str
    data: str
    version: int
    status: Status
    access: Access
    created_ms: int
    updated_ms: int
    touched_ms: int
    idle_ms: int
    last_ms: int
    kept_ms: int = 0
    stored_version: int = field(default=0, compare=False)

    @property
    def expires_ms(self) -> int:
        return min(self.touched_ms + self.idle_ms, self.last_ms)

    @property
    def forgotten_ms(self) -> int:
        """When even its tombstone goes."""
        return self.expires_ms + TOMBSTONE_MS

    def kept(self) -> "Session":
        """With the end of the record's key moved, if it comes near: seldom, because it costs a command."""
        if self.kept_ms >= self.forgotten_ms + _RENEWED_BELOW_MS:
            return self
        return replace(self, kept_ms=self.forgotten_ms + _KEPT_MS)

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    def seen_at(self, now_ms: int) -> "Session":
        """As a reader must see it: time can end a session before sweep has written it down."""
        if self.status is Status.ACTIVE and now_ms >= self.expires_ms:
            return replace(self, status=Status.EXPIRED, version=self.version + 1)
        return self

    def as_json(self) -> str:
        """The session object; `data` goes in as the text it is."""
        members = {
            "id": self.id,
            "owner": self.owner,
            "version": self.version,
            "status": self.status,
            "access": self.access.as_dict(),
            "ttl_seconds": self.idle_ms // 1000,
            "created_at": timestamp(self.created_ms),
            "updated_at": timestamp(self.updated_ms),
            "expires_at": timestamp(self.expires_ms),
        }
        return f'{compact(members)[:-1]},"data":{self.data}}}'


def session_of(values: Sequence[Any]) -> Session | None:
    """The session in a record's fields, in the order of FIELDS; None when there is no record."""
    if values[0] is None:
        return None
    record = dict(zip(FIELDS, values, strict=False))
    return Session(
        id=record["id"],
        owner=record["owner"],
        data=record["data"],
        version=int(record["version"]),
        status=Status(record["status"]),
        access=msgspec.json.decode(record["access"], type=Access),
        created_ms=int(record["created"]),
        updated_ms=int(record["updated"]),
        touched_ms=int(record["touched"]),
        idle_ms=int(record["idle"]),
        last_ms=int(record["last"]),
        kept_ms=int(record["kept"]),
        stored_version=int(record["version"]),
    )


def record_of(session: Session) -> list[str]:
    """Fields and values of the session's record."""
    values = (
        session.id,
        session.owner,
        session.data,
        session.version,
        session.status,
        compact(session.access.as_dict()),
        session.created_ms,
        session.updated_ms,
        session.touched_ms,
        session.idle_ms,
        session.last_ms,
        session.kept_ms,
    )
    return [text for name, value in zip(FIELDS, values, strict=True) for text in (name, str(value))]


def is_session_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def timestamp(ms: int) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
