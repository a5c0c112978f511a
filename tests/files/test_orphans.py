"""Whatever an upload ends in, nothing of it stays for which nobody comes: neither in the bucket nor in Redis.

Uploads themselves, under quarantine/, are left to the bucket's lifecycle rule of one day.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.errors import NotFound
from shared.files import multipart
from shared.files.model import File
from shared.files.objects import Bucket
from shared.files.parse import Parser
from shared.files.parsing.sandbox import Outcome
from shared.files.places import upload_key
from shared.files.uploads import NewFile
from tests.files.conftest import Desk

CSV = b"a,b\n1,2\n"
OTHER = CSV[::-1]
SUMMARY = {"kind": "text", "row_count": 1, "encoding": None, "schema": [], "preview": [], "warnings": []}


def promised(desk: Desk, **members: object) -> tuple[File, dict[str, Any]]:
    new = NewFile(**{"name": "a.csv", "content_type": "text/csv", "size": len(CSV), **members})  # type: ignore[arg-type]
    return desk.filing.uploads.create(desk.identity(), new, desk.new_id())


def in_one_part(desk: Desk, content: bytes, **members: object) -> File:
    file, _ = promised(desk, multipart=True, **members)
    desk.http.put(desk.filing.uploads.sign_part(desk.identity(), file.id, 1).url, content=content)
    return file


def joined(desk: Desk, file: File) -> File:
    return desk.filing.uploads.complete(desk.identity(), file.id, desk.filing.uploads.parts(desk.identity(), file.id))


def deleted(desk: Desk, file: File) -> str:
    desk.filing.files.delete(desk.identity(), file.id)
    return "deleted"


def never_uploaded(desk: Desk) -> str:
    promised(desk)
    return "expired"


def parts_never_joined(desk: Desk) -> str:
    in_one_part(desk, CSV)
    return "expired"


def parts_aborted(desk: Desk) -> str:
    deleted(desk, in_one_part(desk, CSV))
    return "deleted"


def deleted_before_its_parts_are_joined(desk: Desk) -> str:
    file = in_one_part(desk, CSV)
    return completed_around(desk, file, lambda join: [deleted(desk, file), join()])


def deleted_when_its_parts_are_joined(desk: Desk) -> str:
    file = in_one_part(desk, CSV)
    completed_around(desk, file, lambda join: [join(), deleted(desk, file)])
    assert desk.arrive(file).status == "deleted"
    assert desk.filing.bucket.head(upload_key(desk.scope, file.id)) is None
    return "deleted"


def completed_around(desk: Desk, file: File, order: Callable[[Callable[[], bool]], object]) -> str:
    joins, patch = multipart.complete, pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(multipart, "complete", lambda *arguments: order(lambda: joins(*arguments)))
        with pytest.raises(NotFound):
            joined(desk, file)
    held = desk.filing.store.load(desk.scope, file.id)
    assert held is not None
    return held.status


def another_size(desk: Desk) -> str:
    file, _ = promised(desk)
    desk.filing.bucket.write(upload_key(desk.scope, file.id), CSV * 2, "text/csv")
    return desk.arrive(file).status


def another_type(desk: Desk) -> str:
    file, _ = promised(desk)
    desk.filing.bucket.write(upload_key(desk.scope, file.id), CSV, "text/html")
    return desk.arrive(file).status


def another_digest(desk: Desk) -> str:
    file = in_one_part(desk, OTHER, sha256=hashlib.sha256(CSV).hexdigest())
    return joined(desk, file).status


def another_digest_and_a_crash_before_its_copy_went(desk: Desk) -> str:
    file = in_one_part(desk, OTHER, sha256=hashlib.sha256(CSV).hexdigest())
    crash = pytest.MonkeyPatch()
    with crash.context() as broken:
        broken.setattr(Bucket, "delete", lambda bucket, key: (_ for _ in ()).throw(ConnectionError))
        with pytest.raises(ConnectionError):
            joined(desk, file)
    held = desk.filing.store.load(desk.scope, file.id)
    assert held is not None
    assert any(key.startswith("files/") for key in objects(desk))
    return held.status


def deleted_when_parsed(desk: Desk) -> str:
    file = desk.upload(CSV)
    assert desk.arrive(file).parse.has_result
    deleted(desk, file)
    return "deleted"


def deleted_while_parsed(desk: Desk) -> str:
    file = desk.upload(CSV)
    desk.filing.intake.arrived(desk.scope, file.id)

    def slow(path: Path, content_type: str, name: str) -> Outcome:
        deleted(desk, file)
        return Outcome("ready", "", json.dumps(SUMMARY).encode())

    Parser(desk.filing.store, desk.filing.bucket, slow).parse(desk.scope, file.id)
    return "deleted"


def deleted_while_copied(desk: Desk) -> str:
    file = desk.upload(CSV)
    noted = desk.filing.intake.recorded(desk.scope, file.id)
    assert noted is not None
    deleted(desk, file)
    desk.filing.intake.promote(desk.scope, noted)
    return "deleted"


def deleted_and_then_uploaded(desk: Desk) -> str:
    file, request = promised(desk)
    deleted(desk, file)
    assert desk.http.put(request["url"], headers=request["headers"], content=CSV).status_code == 200
    desk.arrive(file)
    return "deleted"


def replayed(desk: Desk) -> str:
    file, request = promised(desk)
    puts = [desk.http.put(request["url"], headers=request["headers"], content=body) for body in (CSV, OTHER)]
    first = desk.arrive(file)
    again = desk.http.put(request["url"], headers=request["headers"], content=OTHER)
    assert [answer.status_code for answer in (*puts, again)] == [200, 412, 412]
    assert desk.arrive(file) == first
    deleted(desk, file)
    return "deleted"


def duplicate_and_late_events(desk: Desk) -> str:
    file = desk.upload(CSV)
    for _ in range(2):
        desk.arrive(file)
    deleted(desk, file)
    assert desk.arrive(file).status == "deleted"
    return "deleted"


ENDINGS = [
    (never_uploaded, "expired"),
    (parts_never_joined, "expired"),
    (parts_aborted, "deleted"),
    (deleted_before_its_parts_are_joined, "deleted"),
    (deleted_when_its_parts_are_joined, "deleted"),
    (another_size, "rejected"),
    (another_type, "rejected"),
    (another_digest, "rejected"),
    (another_digest_and_a_crash_before_its_copy_went, "rejected"),
    (deleted_when_parsed, "deleted"),
    (deleted_while_parsed, "deleted"),
    (deleted_while_copied, "deleted"),
    (deleted_and_then_uploaded, "deleted"),
    (replayed, "deleted"),
    (duplicate_and_late_events, "deleted"),
]


def objects(desk: Desk) -> list[str]:
    """All keys of the bucket that no lifecycle rule takes, and the open uploads in parts."""
    bucket = desk.filing.bucket
    listed = bucket.send("GET", "", query="list-type=2").body.decode()
    keys = [key for key in between(listed, "Key") if not key.startswith("quarantine/")]
    return keys + between(bucket.send("GET", "", query="uploads=").body.decode(), "UploadId")


def between(text: str, tag: str) -> list[str]:
    return [piece.partition(f"</{tag}>")[0] for piece in text.split(f"<{tag}>")[1:]]


def swept_to_the_end(desk: Desk) -> None:
    now_ms: int | None = desk.filing.store.now_ms()
    while now_ms is not None:
        now_ms = desk.filing.expiry.expire_due(desk.scope, now_ms, 100)


@pytest.mark.parametrize(("ending", "status"), ENDINGS, ids=[ending.__name__ for ending, _ in ENDINGS])
def test_nothing_stays(desk: Desk, redis_direct: "redis.Redis", ending: Callable[[Desk], str], status: str) -> None:
    assert ending(desk) == status
    swept_to_the_end(desk)
    assert objects(desk) == []
    left = list(redis_direct.scan_iter(f"{{t:{desk.scope.label}}}:*"))
    assert left, "the channels' logs live a while"
    assert [key for key in left if redis_direct.ttl(key) < 0 or key.partition("}:")[2].startswith("file")] == []


def test_an_event_after_all_is_forgotten_takes_its_upload_with_it(desk: Desk) -> None:
    file = desk.upload(CSV)
    deleted(desk, file)
    swept_to_the_end(desk)
    assert desk.filing.store.load(desk.scope, file.id) is None
    desk.filing.intake.arrived(desk.scope, file.id)
    assert desk.filing.bucket.head(upload_key(desk.scope, file.id)) is None
    assert objects(desk) == []


def test_a_copy_that_is_refused_was_never_readable(desk: Desk) -> None:
    file = in_one_part(desk, OTHER, sha256=hashlib.sha256(CSV).hexdigest())
    joined(desk, file)
    assert desk.events(f"file:{file.id}") == ["file.created", "file.uploaded", "file.rejected"]
