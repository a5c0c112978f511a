"""Promises of uploads that are made again."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from local.redis import ThreadedUpstash
from shared.errors import LimitReached
from shared.files import multipart
from shared.files.model import File
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


def test_a_refused_promise_leaves_no_open_upload(desk: Desk) -> None:
    object.__setattr__(desk.filing.realtime.settings, "max_files_per_tenant", 0)
    with pytest.raises(LimitReached):
        desk.filing.uploads.create(desk.identity(), IN_PARTS, file_id := desk.new_id())
    listed = desk.filing.bucket.send("GET", "", query="uploads=")
    assert file_id not in listed.body.decode()


def test_listing_costs_two_round_trips_however_many_files(desk: Desk, upstash: ThreadedUpstash) -> None:

    for _ in range(12):
        desk.filing.uploads.create(desk.identity(), NEW, desk.new_id())
    desk.filing.files.page(desk.identity(), Wanted(), "", 50)
    with upstash.counting() as cost:
        found, _ = desk.filing.files.page(desk.identity(), Wanted(), "", 50)
    assert len(found) == 12
    assert (cost.round_trips, cost.commands) == (2, 4)


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
    with pytest.raises(LimitReached, match="more than 10 bytes"):
        promise(desk, 4)
    promise(desk, 3)
    assert held_bytes(desk) == 10
    promise(desk, 0)
    desk.filing.files.delete(desk.identity(), first.id)
    promise(desk, 7)


def test_many_who_promise_at_once_get_no_more_than_there_is_room_for(desk: Desk) -> None:
    limited_to(desk, 10)

    def attempt(_: int) -> bool:
        other = Desk(desk.settings, desk.scope, desk.http, desk.sent)
        try:
            promise(other, 3)
        except LimitReached:
            return False
        finally:
            other.close()
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
