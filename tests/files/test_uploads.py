"""Promises of uploads that are made again."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from local.redis import ThreadedUpstash
from shared.errors import Invalid, LimitReached, NotFound, TooLarge
from shared.files import multipart
from shared.files.model import File, StoredObject
from shared.files.places import upload_key
from shared.files.service import Wanted
from shared.files.uploads import NewFile
from tests.files.conftest import Desk

NEW = NewFile(name="a.csv", content_type="text/csv", size=8)
IN_PARTS = NewFile(name="a.csv", content_type="text/csv", size=8, multipart=True)


@pytest.mark.parametrize("new", [NEW, IN_PARTS])
def test_a_request_that_is_made_again_goes_on_with_its_file(desk: Desk, new: NewFile) -> None:
    file_id = desk.new_id()
    first, _ = desk.filing.uploads.create(desk.identity(), new, file_id)
    second, upload = desk.filing.uploads.create(desk.identity(), new, file_id)
    assert second == first
    assert desk.events(f"file:{file_id}") == ["file.created"]
    if new.multipart:
        assert upload["uploadId"] == first.upload_id
        assert multipart.parts(desk.filing.bucket, upload_key(desk.scope, file_id), first.upload_id) == []
    else:
        answer = httpx.put(upload["url"], headers=upload["headers"], content=b"12345678")
        assert answer.status_code == 200


def test_what_s3_cannot_copy_is_refused_whatever_the_setting(desk: Desk) -> None:
    object.__setattr__(desk.filing.realtime.settings, "max_file_bytes", 6 << 30)
    with pytest.raises(TooLarge):
        promise(desk, (5 << 30) + 1)
    promise(desk, 5 << 30)


def test_a_refused_promise_leaves_no_open_upload(desk: Desk) -> None:
    object.__setattr__(desk.filing.realtime.settings, "max_files_per_tenant", 0)
    with pytest.raises(LimitReached):
        desk.filing.uploads.create(desk.identity(), IN_PARTS, file_id := desk.new_id())
    listed = desk.filing.bucket.send("GET", "", query="uploads=")
    assert file_id not in listed.body.decode()


def test_what_is_deleted_while_it_is_completed_is_not_found(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    file, look = desk.upload(b"a,b\n1,2\n"), desk.filing.bucket.head

    def deleted_first(key: str) -> StoredObject | None:
        desk.filing.files.delete(desk.identity(), file.id)
        return look(key)

    monkeypatch.setattr(desk.filing.bucket, "head", deleted_first)
    with pytest.raises(NotFound):
        desk.filing.uploads.complete(desk.identity(), file.id, [])


def test_a_part_cannot_be_listed_twice(desk: Desk) -> None:
    file, _ = desk.filing.uploads.create(desk.identity(), IN_PARTS, desk.new_id())
    desk.http.put(desk.filing.uploads.sign_part(desk.identity(), file.id, 1).url, content=b"12345678")
    parts = desk.filing.uploads.parts(desk.identity(), file.id)
    with pytest.raises(Invalid, match="twice"):
        desk.filing.uploads.complete(desk.identity(), file.id, parts * 2)
    assert desk.filing.uploads.complete(desk.identity(), file.id, parts).status == "available"


def test_listing_costs_two_round_trips_however_many_files(desk: Desk, upstash: ThreadedUpstash) -> None:

    for _ in range(12):
        desk.filing.uploads.create(desk.identity(), NEW, desk.new_id())
    desk.filing.files.page(desk.identity(), Wanted(), "", 50)
    with upstash.counting() as cost:
        found, _ = desk.filing.files.page(desk.identity(), Wanted(), "", 50)
    assert len(found) == 12
    assert (cost.round_trips, cost.commands) == (2, 4)


def test_fifty_who_promise_at_once_get_no_more_files_than_there_is_room_for(desk: Desk) -> None:
    object.__setattr__(desk.filing.realtime.settings, "max_files_per_tenant", 10)

    def attempt(_: int) -> File | None:
        with in_another_environment(desk) as other:
            try:
                return promise(other, 1)
            except LimitReached:
                return None

    with ThreadPoolExecutor(10) as pool:
        made = [file for file in pool.map(attempt, range(50)) if file]
    assert len(made) == 10
    desk.filing.files.delete(desk.identity(), made[0].id)
    promise(desk, 1)
    with pytest.raises(LimitReached, match="10 files already"):
        promise(desk, 1)


@contextmanager
def in_another_environment(desk: Desk) -> Iterator[Desk]:
    other = Desk(desk.settings, desk.scope, desk.http, desk.sent)
    yield other
    other.close()


def held_bytes(desk: Desk) -> int | None:
    """What the tenant's live files are counted with; None when there is no key."""
    held = desk.filing.realtime.redis.call("GET", desk.scope.key("files", "bytes"))
    return None if held is None else int(held)


def promise(desk: Desk, size: int) -> File:
    new = NewFile(name="a.bin", content_type="text/csv", size=size)
    return desk.filing.uploads.create(desk.identity(), new, desk.new_id())[0]


def limited_to(desk: Desk, size: int) -> None:
    object.__setattr__(desk.filing.realtime.settings, "max_file_bytes_per_tenant", size)


def test_a_tenants_files_have_so_many_bytes_together_and_no_more(desk: Desk) -> None:
    limited_to(desk, 10)
    first = promise(desk, 7)
    with pytest.raises(LimitReached, match="more than 10 bytes") as refused:
        promise(desk, 4)
    assert refused.value.retry_after == 60
    promise(desk, 3)
    assert held_bytes(desk) == 10
    promise(desk, 0)
    desk.filing.files.delete(desk.identity(), first.id)
    promise(desk, 7)


def test_many_who_promise_at_once_get_no_more_than_there_is_room_for(desk: Desk) -> None:
    limited_to(desk, 10)

    def attempt(_: int) -> bool:
        with in_another_environment(desk) as other:
            try:
                promise(other, 3)
            except LimitReached:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 3
    assert held_bytes(desk) == 9


def test_a_promise_that_is_made_again_counts_once(desk: Desk) -> None:
    file_id = desk.new_id()
    for _ in range(2):
        desk.filing.uploads.create(desk.identity(), NEW, file_id)
    assert held_bytes(desk) == NEW.size


@pytest.mark.parametrize("end", ["expired", "rejected", "deleted"])
def test_bytes_are_given_back_once_when_a_file_ends(desk: Desk, end: str) -> None:
    file, staying = promise(desk, 8), promise(desk, 5)
    if end == "expired":
        desk.filing.expiry.expire_due(desk.scope, file.due_ms, 1)
    elif end == "rejected":
        desk.filing.bucket.write(upload_key(desk.scope, file.id), b"other", "text/csv")
        desk.arrive(file)
    else:
        desk.filing.files.delete(desk.identity(), file.id)
    held = desk.filing.store.load(desk.scope, file.id)
    assert held is not None
    assert (held.status, held_bytes(desk)) == (end, staying.size)
    if end != "deleted":
        desk.filing.files.delete(desk.identity(), file.id)
    assert held_bytes(desk) == staying.size


def test_available_files_keep_their_bytes_and_the_last_to_go_leaves_no_key(desk: Desk) -> None:
    file = desk.upload(b"a,b\n1,2\n")
    assert desk.arrive(file).status == "available"
    assert held_bytes(desk) == 8
    desk.filing.files.delete(desk.identity(), file.id)
    assert held_bytes(desk) is None
