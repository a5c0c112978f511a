"""From an uploaded object to a file that can be read: HEAD, record, copy to the clean key."""

from shared.files import life
from shared.files.model import File, Status
from shared.files.objects import Bucket, ObjectChanged
from shared.files.places import clean_key, upload_key
from shared.files.store import FileStore
from shared.observe.log import info
from shared.tenant.scope import TenantScope


class Intake:
    """Each step may be taken by several at once and again; the record's version decides who took it."""

    def __init__(self, store: FileStore, bucket: Bucket) -> None:
        self._store = store
        self._bucket = bucket

    def arrived(self, scope: TenantScope, file_id: str) -> File | None:
        """An object is said to be there: takes it in as far as it goes. What belongs to no live file is deleted."""
        file = self._store.load(scope, file_id)
        if file is not None and file.status is Status.PENDING:
            file = self.recorded(scope, file_id)
        if file is None or not file.is_live:
            info("file.upload_without_record_deleted", tenant=scope.label, file=file_id)
            self._bucket.delete(upload_key(scope, file_id))
            return file
        return self.promote(scope, file)

    def recorded(self, scope: TenantScope, file_id: str) -> File | None:
        """Notes that the upload is in S3, or that it is not what was declared; unchanged when nothing is there."""
        stored = self._bucket.head(upload_key(scope, file_id))
        if stored is None:
            return self._store.load(scope, file_id)
        now_ms = self._store.now_ms()
        return self._store.step(
            scope, file_id, lambda file: life.expired(file, now_ms) or life.appeared(file, stored, now_ms)
        ).file

    def promote(self, scope: TenantScope, file: File) -> File | None:
        """Copies an uploaded file to its clean key and makes it available; others are returned as they are."""
        if file.status is not Status.UPLOADED:
            return file
        try:
            copied = self._bucket.copy(upload_key(scope, file.id), clean_key(scope, file.id), file.etag)
        except ObjectChanged:
            return self._store.step(scope, file.id, lambda f: life.vanished(f, self._store.now_ms())).file
        now_ms = self._store.now_ms()
        after = self._store.step(scope, file.id, lambda held: life.promoted(held, copied, now_ms)).file
        if after is None or not after.is_live:
            # Deleted while it was copied, or not what was declared.
            self._bucket.delete(clean_key(scope, file.id))
        return after
