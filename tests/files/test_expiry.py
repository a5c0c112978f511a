"""What sweep does to files whose time has come, and that nothing of them stays for ever."""

import redis

from shared.files import life, multipart
from shared.files.model import File
from shared.files.places import again_key, clean_key, parsed_key, upload_key
from shared.files.store import DUE_KIND
from shared.files.uploads import NewFile
from tests.files.conftest import Desk

CSV = b"a,b\n1,2\n"


def promised(desk: Desk, **members: object) -> File:
    new = NewFile(**{"name": "a.csv", "content_type": "text/csv", "size": 8, **members})  # type: ignore[arg-type]
    file, _ = desk.filing.uploads.create(desk.identity(), new, desk.new_id())
    return file


def held(desk: Desk, file: File) -> File | None:
    return desk.filing.store.load(desk.scope, file.id)


def status(desk: Desk, file: File) -> str:
    found = held(desk, file)
    return found.status if found else "forgotten"


def sweep(desk: Desk, now_ms: int) -> int | None:
    return desk.filing.expiry.expire_due(desk.scope, now_ms, 100)


def test_an_upload_that_never_came_expires_and_is_forgotten(desk: Desk) -> None:
    file = promised(desk)
    assert sweep(desk, file.due_ms - 1) == file.due_ms
    assert status(desk, file) == "pending"
    following = sweep(desk, file.due_ms)
    assert status(desk, file) == "expired"
    assert following is not None
    assert sweep(desk, following) is None
    assert status(desk, file) == "forgotten"
    assert desk.events(f"file:{file.id}") == ["file.created", "file.expired"]


def test_an_upload_whose_event_was_lost_is_taken_in(desk: Desk) -> None:
    file = desk.upload(CSV)
    sweep(desk, file.created_ms + 60_000)
    assert desk.filing.bucket.head(again_key(desk.scope, file.id)) is not None
    assert desk.arrive(file).parse.status == "ready"


def test_uploads_are_looked_for_ever_more_seldom_and_parse_is_not_called_for_nothing(desk: Desk) -> None:
    file = promised(desk)
    looks, now_ms = [], file.created_ms
    while status(desk, file) == "pending":
        following = sweep(desk, now_ms)
        assert following is not None
        looks.append(following - file.created_ms)
        now_ms = following
    assert [look // 60_000 for look in looks[:-1]] == [1, 2, 4, 8, 15, 18]
    assert looks[-2] == file.due_ms - file.created_ms
    assert desk.filing.bucket.head(again_key(desk.scope, file.id)) is None


def test_what_is_due_is_found_by_the_tenants_entry(desk: Desk) -> None:
    file = promised(desk)
    desk.filing.realtime.due._now = lambda: file.due_ms / 1000 + 1
    assert (DUE_KIND, desk.scope) in [
        (entry.kind, entry.scope) for entry in desk.filing.realtime.due.due() if entry.kind == DUE_KIND
    ]


def test_an_expired_upload_in_parts_is_aborted(desk: Desk) -> None:
    file = promised(desk, multipart=True)
    sweep(desk, file.due_ms)
    assert multipart.parts(desk.filing.bucket, upload_key(desk.scope, file.id), file.upload_id) is None


def test_a_step_that_never_ended_is_begun_again(desk: Desk) -> None:
    file = desk.upload(CSV)
    noted = desk.filing.intake.recorded(desk.scope, file.id)
    assert noted is not None
    assert sweep(desk, noted.due_ms) == noted.due_ms + life.STEP_MS
    assert desk.filing.bucket.head(again_key(desk.scope, file.id)) is not None
    assert desk.arrive(file).parse.status == "ready"
    assert sweep(desk, noted.due_ms + 10 * life.STEP_MS) is None
    assert status(desk, file) == "available"


def test_a_parser_that_died_is_followed_by_another(desk: Desk) -> None:
    file = desk.upload(CSV)
    after = desk.filing.intake.arrived(desk.scope, file.id)
    assert after is not None
    started = life.parse_started(after, desk.filing.store.now_ms() - life.STEP_MS)
    assert started is not None
    assert desk.filing.store.change(desk.scope, after, started)
    sweep(desk, started.due_ms)
    assert desk.arrive(file).parse.status == "ready"


def test_a_deleted_file_leaves_nothing_behind(desk: Desk, redis_direct: "redis.Redis") -> None:
    file = desk.upload(CSV)
    parsed = desk.arrive(file)
    desk.filing.files.delete(desk.identity(), file.id)
    gone = held(desk, file)
    assert gone is not None
    desk.filing.bucket.write(clean_key(desk.scope, file.id), CSV, "text/csv")
    assert sweep(desk, gone.due_ms) is None
    assert desk.filing.bucket.head(clean_key(desk.scope, file.id)) is None
    assert desk.filing.bucket.head(parsed_key(desk.scope, parsed)) is None
    left = list(redis_direct.scan_iter(f"{{t:{desk.scope.label}}}:file*"))
    assert left == []


def test_a_deadline_without_a_record_is_dropped(desk: Desk) -> None:
    desk.filing.realtime.redis.call("ZADD", desk.scope.key("files", "due"), 5, "f" * 32)
    assert sweep(desk, 6) is None


def test_a_sweep_does_no_more_than_it_is_asked_to(desk: Desk) -> None:
    files = [promised(desk) for _ in range(3)]
    last = max(file.due_ms for file in files)
    desk.filing.expiry.expire_due(desk.scope, last, 2)
    assert sorted(status(desk, file) for file in files) == ["expired", "expired", "pending"]
