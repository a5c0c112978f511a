"""A file's record: what is known of it, and the states that it and its parsing go through.

pending → uploaded → available | rejected | expired, then deleted
parse:  pending → running → ready | failed | unsupported | limited
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

# Hex digits of the time before the id in `File.place`.
PLACE_PREFIX: Final = 12
_ID: Final = re.compile(r"[0-9a-f]{32}")


class Status(StrEnum):
    PENDING = "pending"
    UPLOADED = "uploaded"
    AVAILABLE = "available"
    REJECTED = "rejected"
    EXPIRED = "expired"
    DELETED = "deleted"


class ParseStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    LIMITED = "limited"


@dataclass(frozen=True)
class StoredObject:
    """What HEAD tells: `etag` without quotes, `size` in bytes, `sha256` in hex (empty: not known to S3)."""

    etag: str
    size: int
    content_type: str
    sha256: str


@dataclass(frozen=True)
class Copied:
    """A copy; `sha256` in hex is of the whole content, however it was uploaded."""

    etag: str
    sha256: str


class Parse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The parsing of a file; `attempts` counts starts, `summary` is what lists show of the result.

    `cause` is the request id of the invocation that the running one works for.
    """

    status: ParseStatus = ParseStatus.PENDING
    detail: str = ""
    attempts: int = 0
    cause: str = ""
    has_result: bool = False
    summary: dict[str, Any] = {}

    @property
    def is_over(self) -> bool:
        return self.status not in (ParseStatus.PENDING, ParseStatus.RUNNING)


class File(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file. Times are unix ms; sizes bytes; `due_ms` is when somebody must look at it again (0: never).

    `etag` is the upload's, `clean_etag` that of the copy which readers get; `sha256` is hex, as declared.
    """

    id: str
    name: str
    content_type: str
    size: int
    owner: str
    created_ms: int
    updated_ms: int
    due_ms: int
    sha256: str = ""
    session_id: str = ""
    version: int = 1
    status: Status = Status.PENDING
    reason: str = ""
    etag: str = ""
    clean_etag: str = ""
    upload_id: str = ""
    parse: Parse = Parse()

    @property
    def is_live(self) -> bool:
        """It has, or may still get, content."""
        return self.status in (Status.PENDING, Status.UPLOADED, Status.AVAILABLE)

    @property
    def takes_parts(self) -> bool:
        """Its upload in parts is neither joined nor given up."""
        return self.status is Status.PENDING and self.upload_id != ""

    @property
    def place(self) -> str:
        """Where it stands in lists, which are ordered by age: its age, then its id."""
        return f"{self.created_ms:0{PLACE_PREFIX}x}{self.id}"

    def seen_at(self, now_ms: int) -> "File":
        """As a reader must see it: an upload whose time is over has expired, whether swept or not."""
        if self.status is Status.PENDING and now_ms >= self.due_ms:
            return msgspec.structs.replace(self, status=Status.EXPIRED, version=self.version + 1)
        return self


def changed(file: File, now_ms: int, **changes: Any) -> File:
    """The file's next version."""
    return msgspec.structs.replace(file, version=file.version + 1, updated_ms=now_ms, **changes)


def encoded(file: File) -> str:
    """The record as Redis keeps it: the version, which scripts compare, then JSON, which they leave alone."""
    return f"{file.version}\n{msgspec.json.encode(file).decode()}"


def decoded(record: str) -> File:
    return msgspec.json.decode(record.partition("\n")[2], type=File)


def is_id(text: str) -> bool:
    """Whether `text` can be a file's id: 128 random bits in hex."""
    return _ID.fullmatch(text) is not None


def timestamp(ms: int) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(file: File) -> dict[str, Any]:
    """The file as clients see it."""
    parse: dict[str, Any] = {"status": file.parse.status}
    if file.parse.detail:
        parse["detail"] = file.parse.detail
    if file.parse.summary:
        parse["summary"] = file.parse.summary
    body: dict[str, Any] = {
        "id": file.id,
        "name": file.name,
        "content_type": file.content_type,
        "size": file.size,
        "sha256": file.sha256 or None,
        "owner": file.owner,
        "session_id": file.session_id or None,
        "status": file.status,
        "version": file.version,
        "created_at": timestamp(file.created_ms),
        "updated_at": timestamp(file.updated_ms),
        "expires_at": timestamp(file.due_ms) if file.status is Status.PENDING else None,
        "parse": parse,
    }
    return {**body, "reason": file.reason} if file.reason else body
