"""Promises of uploads that are made again."""

import httpx
import pytest

from local.redis import ThreadedUpstash
from shared.errors import LimitReached
from shared.files import multipart
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
