"""How content comes in: an upload is promised, signed for the client, and completed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from shared.auth.identity import Identity
from shared.errors import Conflict, Invalid, NotReady, TooLarge
from shared.files import life, multipart
from shared.files.access import FileAccess
from shared.files.intake import Intake
from shared.files.model import File, Status, timestamp
from shared.files.multipart import Part
from shared.files.objects import Bucket
from shared.files.places import upload_key
from shared.files.presign import SignedRequest, part_upload, single_upload
from shared.files.store import FileStore, Room, existing
from shared.settings import Settings

_MULTIPART_ABOVE: Final = 100 << 20
_PART_BYTES: Final = 16 << 20
_MAX_PARTS: Final = 10_000
# Parts are signed as they are wanted, so a slow upload has until S3's lifecycle rule drops it.
_MULTIPART_SECONDS: Final = 23 * 3600
# S3 copies no object larger than this.
_COPY_BYTES: Final = 5 << 30
# S3 copies some 100 MB a second; more than that is left to `parse`, which has the time.
_COPY_INLINE_BYTES: Final = 256 << 20


@dataclass(frozen=True, kw_only=True)
class NewFile:
    """What a client promises to upload; `size` in bytes, `sha256` in hex or empty, `multipart` None: by size."""

    name: str
    content_type: str
    size: int
    sha256: str = ""
    session_id: str = ""
    multipart: bool | None = None


class Uploads:
    """Calls of a client about content on its way."""

    def __init__(
        self, store: FileStore, bucket: Bucket, access: FileAccess, intake: Intake, settings: Settings
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._access = access
        self._intake = intake
        self._settings = settings

    def create(self, identity: Identity, new: NewFile, file_id: str) -> tuple[File, dict[str, Any]]:
        """The file's record, and what the client needs to upload its content.

        `file_id` is fresh, or that of an earlier attempt of the same request, which is then gone on with.
        """
        limit = min(self._settings.max_file_bytes, _COPY_BYTES)
        if new.size > limit:
            raise TooLarge(f"a file has at most {limit} bytes, {new.size} were declared", limit=limit)
        if new.session_id:
            self._access.join_session(identity, new.session_id)
        in_parts = new.size > _MULTIPART_ABOVE if new.multipart is None else new.multipart and new.size > 0
        promised = self._promised(identity, new, file_id, in_parts)
        return self._open_parts(identity, promised) if in_parts else self._open_single(identity, promised)

    def _open_single(self, identity: Identity, promised: File) -> tuple[File, dict[str, Any]]:
        file = self._store.create(identity, promised, self._room)
        key, seconds = upload_key(identity.scope, file.id), self._settings.upload_ttl_seconds
        signed = single_upload(self._bucket, key, file.content_type, file.size, file.sha256, seconds)
        return file, request_shown(signed)

    def _open_parts(self, identity: Identity, promised: File) -> tuple[File, dict[str, Any]]:
        key = upload_key(identity.scope, promised.id)
        opened = replace(promised, upload_id=multipart.create(self._bucket, key, promised.content_type))
        file = None
        try:
            file = self._store.create(identity, opened, self._room)
        finally:
            if file is not opened:
                multipart.abort(self._bucket, key, opened.upload_id)
        return file, {
            "method": "MULTIPART",
            "uploadId": file.upload_id,
            "key": file.id,
            "part_size": max(_PART_BYTES, -(-file.size // _MAX_PARTS)),
            "expires_at": timestamp(file.due_ms),
        }

    @property
    def _room(self) -> Room:
        return Room(self._settings.max_files_per_tenant, self._settings.max_file_bytes_per_tenant)

    def _promised(self, identity: Identity, new: NewFile, file_id: str, in_parts: bool) -> File:
        now_ms = self._store.now_ms()
        seconds = _MULTIPART_SECONDS if in_parts else self._settings.upload_ttl_seconds
        return File(
            id=file_id,
            name=new.name,
            content_type=new.content_type,
            size=new.size,
            sha256=new.sha256,
            owner=identity.user,
            session_id=new.session_id,
            created_ms=now_ms,
            updated_ms=now_ms,
            due_ms=life.upload_deadline(now_ms, new.size, seconds),
        )

    def complete(self, identity: Identity, file_id: str, listed: Sequence[Part]) -> File:
        """The client says that it is done; so does S3, before or after. A multipart upload is joined here."""
        file = self._access.owned(identity, file_id)
        scope = identity.scope
        if file.status is Status.PENDING:
            if file.upload_id:
                self._join(identity, file, listed)
            file = existing(self._intake.recorded(scope, file.id))
            if file.status is Status.PENDING:
                raise NotReady("nothing was uploaded yet", file_status=file.status)
        if file.status is Status.UPLOADED and file.size <= _COPY_INLINE_BYTES:
            file = existing(self._intake.promote(scope, file))
        return file

    def _join(self, identity: Identity, file: File, listed: Sequence[Part]) -> None:
        key = upload_key(identity.scope, file.id)
        stored = multipart.parts(self._bucket, key, file.upload_id)
        if stored is None:
            # Joined before: the object tells the rest.
            return
        wanted = {part.number for part in listed}
        if len(wanted) != len(listed):
            raise Invalid("a part is listed twice")
        size = sum(part.size for part in stored if part.number in wanted)
        if size != file.size:
            raise Invalid(f"the parts have {size} bytes, {file.size} were declared")
        multipart.complete(self._bucket, key, file.upload_id, listed)

    def parts(self, identity: Identity, file_id: str) -> list[Part]:
        """The parts that S3 has, so that a client can go on after a break."""
        file = self._access.taking_parts(identity, file_id)
        found = multipart.parts(self._bucket, upload_key(identity.scope, file.id), file.upload_id)
        if found is None:
            raise Conflict("the upload is over")
        return found

    def sign_part(self, identity: Identity, file_id: str, number: int) -> SignedRequest:
        """A URL for one part."""
        file = self._access.taking_parts(identity, file_id)
        key, seconds = upload_key(identity.scope, file.id), self._settings.upload_ttl_seconds
        return part_upload(self._bucket, key, file.upload_id, number, seconds)


def request_shown(request: SignedRequest) -> dict[str, Any]:
    """A signed request as clients see it."""
    return {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
        "expires_at": timestamp(request.expires_at * 1000),
    }
