"""What callers do with files that are there: read, list, download, parse again, delete."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from shared.auth.identity import Identity
from shared.errors import Conflict, Internal, NotReady, Unavailable, Unparsable
from shared.files import life
from shared.files.access import FileAccess
from shared.files.expiry import Expiry
from shared.files.model import File, Status, timestamp
from shared.files.objects import Bucket
from shared.files.places import again_key, clean_key, parsed_key
from shared.files.presign import download
from shared.files.store import FileStore, existing
from shared.observe.log import info
from shared.tenant.scope import TenantScope

# A filtered list reads this many records at most before it answers with what it has.
_SCANNED: Final = 300


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A list's filter; empty fields let everything pass. `owner` of others is for admins."""

    owner: str = ""
    session_id: str = ""
    status: str = ""


class Files:
    """The tenant's files as one caller may see them."""

    def __init__(self, store: FileStore, bucket: Bucket, access: FileAccess, expiry: Expiry) -> None:
        self._store = store
        self._bucket = bucket
        self._access = access
        self._expiry = expiry

    def get(self, identity: Identity, file_id: str) -> File:
        return self._access.readable(identity, file_id)

    def page(self, identity: Identity, wanted: Wanted, before: str, limit: int) -> tuple[list[File], str]:
        """Up to `limit` files, newest first, after the place `before`; the place to go on from, or empty.

        A page may be short, even empty, and still have a next one.
        """
        if wanted.session_id:
            self._access.require_session(identity, wanted.session_id)
        owner = wanted.owner if identity.is_admin or wanted.session_id else identity.user
        found: list[File] = []
        scanned = 0
        while scanned < _SCANNED:
            places = self._store.page(identity, owner, wanted.session_id, before, limit + 1)
            for file in self._store.read_many(identity.scope, places):
                if len(found) == limit and _passes(file, wanted):
                    return found, found[-1].place
                if _passes(file, wanted):
                    found.append(file)
            if len(places) <= limit:
                return found, ""
            before, scanned = places[-1], scanned + len(places)
        return found, before

    def content(self, identity: Identity, file_id: str) -> dict[str, Any]:
        """A short-lived address of the bytes."""
        file = self._available(identity, file_id)
        request = download(self._bucket, clean_key(identity.scope, file.id), file.name, file.content_type)
        return {"url": request.url, "expires_at": timestamp(request.expires_at * 1000)}

    def parsed(self, identity: Identity, file_id: str) -> bytes:
        """The parsed result as JSON; NotReady while it is coming, Unparsable when there will be none."""
        file = self._available(identity, file_id)
        parse = file.parse
        if not parse.is_over:
            raise NotReady(
                f"parsing is {parse.status}", retry_after=1, file_status=file.status, parse_status=parse.status
            )
        if not parse.has_result:
            raise Unparsable(parse.detail, file_status=file.status, parse_status=parse.status)
        result = self._bucket.read(parsed_key(identity.scope, file))
        if result is None:
            raise Internal(f"the parsed result of {file.id} is missing")
        return result

    def parse_again(self, identity: Identity, file_id: str) -> File:
        """Has the file parsed once more; nothing happens while that is under way already."""
        file = self._available(identity, file_id)
        scope, now_ms = identity.scope, self._store.now_ms()
        stepped = self._store.step(scope, file.id, lambda held: life.parse_wanted(held, now_ms))
        if stepped.taken:
            self._bucket.write(again_key(scope, file_id), b"", "application/octet-stream")
        return existing(stepped.file)

    def delete(self, identity: Identity, file_id: str) -> None:
        """Deletes the file for every reader at once; what is left in the bucket goes now, or by sweep."""
        self._access.owned(identity, file_id)
        self._remove(identity.scope, file_id, life.deleted)

    def abort(self, identity: Identity, file_id: str) -> None:
        """Gives up an upload in parts and deletes its file; Conflict once the parts are joined, as in S3."""
        self._access.taking_parts(identity, file_id)
        if not self._remove(identity.scope, file_id, life.aborted):
            self._access.taking_parts(identity, file_id)

    def _remove(self, scope: TenantScope, file_id: str, step: Callable[[File, int], File | None]) -> bool:
        now_ms = self._store.now_ms()
        stepped = self._store.step(scope, file_id, lambda held: step(held, now_ms))
        if stepped.taken and stepped.file:
            try:
                self._expiry.remove_objects(scope, stepped.file)
            except Unavailable:
                info("file.objects_left_to_sweep", tenant=scope.label, file=file_id)
        return stepped.taken

    def _available(self, identity: Identity, file_id: str) -> File:
        file = self._access.readable(identity, file_id)
        if file.status in (Status.PENDING, Status.UPLOADED):
            raise NotReady(
                f"the file is {file.status}", retry_after=1, file_status=file.status, parse_status=file.parse.status
            )
        if file.status is not Status.AVAILABLE:
            raise Conflict(file.reason or f"the file is {file.status}", file_status=file.status)
        return file


def _passes(file: File, wanted: Wanted) -> bool:
    fits = wanted.status in ("", file.status) and wanted.owner in ("", file.owner)
    return fits and file.status is not Status.DELETED
