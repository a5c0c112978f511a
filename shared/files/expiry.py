"""What time does to files: uploads expire, interrupted steps are begun again, ended files are forgotten."""

from shared.files import life, multipart
from shared.files.model import File, Status
from shared.files.objects import Bucket
from shared.files.places import again_key, clean_key, parsed_key, upload_key
from shared.files.store import FileStore
from shared.tenant.scope import TenantScope


class Expiry:
    """For `sweep`, which finds the tenants by the due index (kind `files`)."""

    def __init__(self, store: FileStore, bucket: Bucket) -> None:
        self._store = store
        self._bucket = bucket

    def expire_due(self, scope: TenantScope, now_ms: int, limit: int) -> int | None:
        """Sees to at most `limit` files; the tenant's next deadline in unix ms, which may be past, or None."""
        for file_id in self._store.due(scope, now_ms, limit):
            file = self._store.load(scope, file_id)
            if file is None:
                self._store.forget_due(scope, file_id)
            else:
                self._see_to(scope, file, now_ms)
        return self._store.next_due(scope)

    def _see_to(self, scope: TenantScope, file: File, now_ms: int) -> None:
        if file.status is Status.PENDING and now_ms < file.due_ms:
            self._look_for_upload(scope, file, now_ms)
        elif file.status is Status.PENDING:
            self._expire(scope, file, now_ms)
        elif file.is_live:
            self._resume(scope, file, now_ms)
        else:
            self.remove_objects(scope, file)
            self._store.forget(scope, file)

    def _look_for_upload(self, scope: TenantScope, file: File, now_ms: int) -> None:
        """Its event is lost when all attempts to handle it met an outage."""
        self._store.postpone(scope, file.id, life.next_look(file, now_ms))
        if self._bucket.head(upload_key(scope, file.id)) is not None:
            self._call_parse(scope, file)

    def _expire(self, scope: TenantScope, file: File, now_ms: int) -> None:
        stepped = self._store.step(scope, file.id, lambda held: life.expired(held, now_ms))
        if stepped.taken and file.upload_id:
            multipart.abort(self._bucket, upload_key(scope, file.id), file.upload_id)

    def _resume(self, scope: TenantScope, file: File, now_ms: int) -> None:
        if file.status is Status.AVAILABLE and file.parse.is_over:
            self._store.forget_due(scope, file.id)
            return
        self._store.postpone(scope, file.id, now_ms + life.STEP_MS)
        self._call_parse(scope, file)

    def _call_parse(self, scope: TenantScope, file: File) -> None:
        self._bucket.write(again_key(scope, file.id), b"", "application/octet-stream")

    def remove_objects(self, scope: TenantScope, file: File) -> None:
        """Deletes what a file left in the bucket; the upload itself goes by the bucket's lifecycle rule.

        Were it deleted before its URL expires, the URL could be used again.
        """
        if file.upload_id:
            multipart.abort(self._bucket, upload_key(scope, file.id), file.upload_id)
        if file.etag:
            self._bucket.delete(clean_key(scope, file.id))
            self._bucket.delete(parsed_key(scope, file))
