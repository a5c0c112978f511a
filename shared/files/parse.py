"""Parses an available file once per wish: whoever wins the record's step does it, a crash is made up for by sweep."""

from collections.abc import Callable
from pathlib import Path

from shared.files import life
from shared.files.model import File, ParseStatus, Status
from shared.files.objects import Bucket, ObjectChanged
from shared.files.parsing import limits
from shared.files.parsing.sandbox import Outcome
from shared.files.parsing.summary import summary_of
from shared.files.parsing.workplace import workplace
from shared.files.places import clean_key, parsed_key
from shared.files.store import FileStore
from shared.tenant.scope import TenantScope

Sandbox = Callable[[Path, str, str], Outcome]


class Parser:
    """`sandbox` is `parsing.sandbox.parse`, given here so that its failures can be tested."""

    def __init__(self, store: FileStore, bucket: Bucket, sandbox: Sandbox) -> None:
        self._store = store
        self._bucket = bucket
        self._sandbox = sandbox

    def parse(self, scope: TenantScope, file_id: str, cause: str = "") -> None:
        """Parses the file if that is due and nobody is at it. Raises what kept it from being read.

        Whoever was at it for the same `cause` is dead, or will find that he was overtaken.
        """
        now_ms = self._store.now_ms()
        file, taken = self._store.step(scope, file_id, lambda held: life.parse_started(held, now_ms, cause))
        if file is None or not taken or file.parse.status is not ParseStatus.RUNNING:
            return
        try:
            outcome = self._outcome(scope, file)
        except Exception:
            self._store.step(scope, file_id, lambda held: life.parse_put_back(held, self._store.now_ms()))
            raise
        if outcome is not None:
            self._finish(scope, file, outcome)

    def _outcome(self, scope: TenantScope, file: File) -> Outcome | None:
        if file.size > limits.FILE_BYTES:
            return Outcome("limited", f"files above {limits.FILE_BYTES >> 20} MiB are not parsed")
        with workplace() as folder:
            path = folder / "content"
            try:
                with path.open("wb") as target:
                    self._bucket.download(clean_key(scope, file.id), file.clean_etag, target)
            except ObjectChanged:
                # The file was deleted meanwhile.
                return None
            return self._sandbox(path, file.content_type, file.name)

    def _finish(self, scope: TenantScope, file: File, outcome: Outcome) -> None:
        summary = None
        if outcome.result:
            summary = summary_of(outcome.result)
            self._bucket.write(parsed_key(scope, file), outcome.result, "application/json")
        now_ms = self._store.now_ms()
        finished = life.parse_finished(file, ParseStatus(outcome.status), outcome.detail, now_ms, summary)
        if not self._store.change(scope, file, finished):
            self._tidy(scope, file)

    def _tidy(self, scope: TenantScope, file: File) -> None:
        held = self._store.load(scope, file.id)
        if held is None or held.status is Status.DELETED:
            self._bucket.delete(parsed_key(scope, file))
