"""How a file's record may change. Pure: each answers the next version, or None where nothing changes.

Object events come late, twice and in any order, and race with the client's calls; the record decides what they
mean.
"""

from typing import Any, Final

from shared.files.model import Copied, File, Parse, ParseStatus, Status, StoredObject, changed

_MINUTE_MS: Final = 60_000
# Somebody must look again when a step takes longer than its function may run.
STEP_MS: Final = 3 * _MINUTE_MS
# How long one can still ask what became of an upload.
_TOMBSTONE_MS: Final = 24 * 60 * _MINUTE_MS
# A copy under way when its file is deleted ends within a function's life.
_LEFTOVERS_MS: Final = 10 * _MINUTE_MS
# Five, because functions die of much else than the file, which a child process reads.
MAX_ATTEMPTS: Final = 5
# The slowest upload that is waited for, and how long it may take after it until somebody notices.
_SLOWEST_BYTES_PER_S: Final = 128 * 1024
_NOTICE_MS: Final = 3 * _MINUTE_MS


def upload_deadline(now_ms: int, size: int, url_seconds: int) -> int:
    """When an upload of `size` bytes has failed: it may begin while its URL lives, and takes its time."""
    return now_ms + url_seconds * 1000 + size * 1000 // _SLOWEST_BYTES_PER_S + _NOTICE_MS


def next_look(file: File, now_ms: int) -> int:
    """When to look for an upload of which no event told: ever more seldom, and once when it must be there."""
    last_ms = file.due_ms - _NOTICE_MS
    if now_ms >= last_ms:
        return file.due_ms
    return min(now_ms + max(now_ms - file.created_ms, _MINUTE_MS), last_ms)


def appeared(file: File, stored: StoredObject, now_ms: int) -> File | None:
    """The upload is in S3."""
    if file.status is not Status.PENDING:
        return None
    reason = _objection(file, stored)
    if reason:
        return _rejected(file, reason, now_ms)
    due_ms = now_ms + STEP_MS
    return changed(file, now_ms, status=Status.UPLOADED, etag=stored.etag, upload_id="", due_ms=due_ms)


def _objection(file: File, stored: StoredObject) -> str:
    if stored.size != file.size:
        return f"{file.size} bytes were declared and {stored.size} uploaded"
    if stored.content_type != file.content_type:
        return f"{file.content_type} was declared and {stored.content_type or 'nothing'} uploaded"
    if stored.sha256:
        return _objection_to_digest(file, stored.sha256)
    return ""


def _objection_to_digest(file: File, sha256: str) -> str:
    return "the content does not have the declared SHA-256" if file.sha256 not in ("", sha256) else ""


def _rejected(file: File, reason: str, now_ms: int) -> File:
    return changed(file, now_ms, status=Status.REJECTED, reason=reason, due_ms=now_ms + _TOMBSTONE_MS)


def promoted(file: File, copied: Copied, now_ms: int) -> File | None:
    """The upload was copied to where readers get it; only now S3 knows the digest of what came in parts."""
    if file.status is not Status.UPLOADED:
        return None
    reason = _objection_to_digest(file, copied.sha256)
    if reason:
        return _rejected(file, reason, now_ms)
    due_ms = now_ms + STEP_MS
    return changed(file, now_ms, status=Status.AVAILABLE, clean_etag=copied.etag, due_ms=due_ms)


def vanished(file: File, now_ms: int) -> File | None:
    """The upload is gone before it was copied."""
    if file.status is not Status.UPLOADED:
        return None
    return _rejected(file, "the uploaded content is gone", now_ms)


def expired(file: File, now_ms: int) -> File | None:
    """Nothing was uploaded in time."""
    if file.status is not Status.PENDING or now_ms < file.due_ms:
        return None
    return changed(file, now_ms, status=Status.EXPIRED, due_ms=now_ms + _TOMBSTONE_MS)


def deleted(file: File, now_ms: int) -> File | None:
    if file.status is Status.DELETED:
        return None
    return changed(file, now_ms, status=Status.DELETED, due_ms=now_ms + _LEFTOVERS_MS)


def aborted(file: File, now_ms: int) -> File | None:
    """Its upload in parts is given up, and the file with it."""
    return deleted(file, now_ms) if file.takes_parts else None


def parse_started(file: File, now_ms: int, cause: str = "") -> File | None:
    """A parser takes the file; after a crash of the one before when its time is over, or at once for its `cause`."""
    held = file.parse
    waiting = held.status is ParseStatus.PENDING
    crashed = held.status is ParseStatus.RUNNING and (now_ms >= file.due_ms or cause == held.cause != "")
    if file.status is not Status.AVAILABLE or not (waiting or crashed):
        return None
    if held.attempts >= MAX_ATTEMPTS:
        return parse_finished(
            file, ParseStatus.FAILED, f"parsing was begun {MAX_ATTEMPTS} times and never ended", now_ms
        )
    running = Parse(ParseStatus.RUNNING, attempts=held.attempts + 1, cause=cause)
    return changed(file, now_ms, parse=running, due_ms=now_ms + STEP_MS)


def parse_finished(
    file: File, status: ParseStatus, detail: str, now_ms: int, summary: dict[str, Any] | None = None
) -> File:
    """The parser is done; `summary` is of the result, None when there is none."""
    attempts = file.parse.attempts
    parse = Parse(status, detail, attempts, has_result=summary is not None, summary=summary or {})
    return changed(file, now_ms, parse=parse, due_ms=0)


def parse_put_back(file: File, now_ms: int) -> File | None:
    """The parser could not do its work for reasons that are not the file's; the attempt counts."""
    if file.parse.status is not ParseStatus.RUNNING:
        return None
    waiting = Parse(ParseStatus.PENDING, attempts=file.parse.attempts)
    return changed(file, now_ms, parse=waiting, due_ms=now_ms + STEP_MS)


def parse_wanted(file: File, now_ms: int) -> File | None:
    """Somebody wants the file parsed again; None while that is under way."""
    if file.status is not Status.AVAILABLE or not file.parse.is_over:
        return None
    return changed(file, now_ms, parse=Parse(), due_ms=now_ms + STEP_MS)


def event_type(old: File | None, new: File) -> str:
    """The type of the event that tells of a change."""
    if old is None:
        return "file.created"
    if old.status is not new.status:
        return f"file.{new.status}"
    return "file.parsed" if new.parse.is_over else "file.parsing"
