"""Object events come late, twice, out of order and for nothing; each ends in a defined state."""

import json
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from local.aws import ThreadedAws
from shared.auth.identity import Identity
from shared.errors import Conflict, NotFound, Unavailable
from shared.files import life
from shared.files.arrivals import Arrivals, arrivals_in
from shared.files.model import File, Status
from shared.files.parse import Parser
from shared.files.parsing.sandbox import Outcome
from shared.files.places import clean_key, parsed_key, upload_key
from tests.files.conftest import Desk

CSV = b"a,b\n1,2\n"
SUMMARY = json.dumps(
    {"kind": "text", "row_count": 1, "encoding": None, "schema": [], "preview": [], "warnings": []}
).encode()


def named(*keys: str) -> list[tuple[str, str]]:
    return list(arrivals_in({"Records": [{"s3": {"object": {"key": key}}} for key in keys]}))


def test_events_name_the_file_in_form_encoding() -> None:
    file_id = "0" * 32
    keys = f"quarantine/acme/{file_id}", f"quarantine%2Facme%2F{file_id}", f"quarantine/acme/{file_id}/again"
    assert named(*keys) == [("acme", file_id)] * 3


@pytest.mark.parametrize(
    "key", ["files/acme/" + "0" * 32, "quarantine/acme", "quarantine/acme/a+b", "quarantine/acme/" + "0" * 32 + "/x"]
)
def test_events_of_other_objects_are_passed_over(key: str) -> None:
    assert named(key) == []


def test_s3s_test_event_is_nobodys(desk: Desk) -> None:
    assert list(arrivals_in({"Service": "Amazon S3", "Event": "s3:TestEvent"})) == []


def test_the_real_event_of_an_upload_is_understood(desk: Desk, aws: ThreadedAws) -> None:
    file = desk.upload(CSV)
    events = aws.events_of(desk.settings.files_bucket)
    assert list(arrivals_in({"Records": events})) == [(desk.scope.label, file.id)]


def test_an_event_that_comes_twice_changes_nothing(desk: Desk) -> None:
    file = desk.upload(CSV)
    first = desk.arrive(file)
    assert desk.arrive(file) == first
    assert desk.events(f"file:{file.id}").count("file.parsed") == 1


def test_an_event_without_an_object_changes_nothing(desk: Desk) -> None:
    file = desk.upload(CSV)
    desk.filing.bucket.delete(upload_key(desk.scope, file.id))
    assert desk.arrive(file).status == "pending"


def test_an_object_without_a_record_is_deleted(desk: Desk) -> None:
    key = desk.scope.object_key("quarantine", "0" * 32)
    desk.filing.bucket.write(key, CSV, "text/csv")
    Arrivals(desk.filing).arrived(desk.scope, "0" * 32)
    assert desk.filing.bucket.head(key) is None


def test_an_upload_of_a_deleted_file_is_deleted(desk: Desk) -> None:
    file = desk.upload(CSV)
    desk.filing.files.delete(desk.identity(), file.id)
    assert desk.arrive(file).status == "deleted"
    assert desk.filing.bucket.head(upload_key(desk.scope, file.id)) is None


def test_an_upload_that_comes_too_late_expires(desk: Desk) -> None:
    file = desk.upload(CSV)
    late = replace(file, version=2, due_ms=desk.filing.store.now_ms() - 1)
    assert desk.filing.store.change(desk.scope, file, late)
    assert desk.arrive(file).status == "expired"
    assert desk.filing.bucket.head(upload_key(desk.scope, file.id)) is None
    with pytest.raises(Conflict, match="expired"):
        desk.filing.files.content(desk.identity(), file.id)


def test_an_upload_of_the_wrong_size_is_rejected(desk: Desk) -> None:
    file = desk.upload(CSV)
    desk.filing.bucket.write(upload_key(desk.scope, file.id), CSV + b"more", "text/csv")
    after = desk.arrive(file)
    assert (after.status, after.reason) == ("rejected", "8 bytes were declared and 12 uploaded")
    assert desk.filing.bucket.head(upload_key(desk.scope, file.id)) is None


def test_bytes_swapped_between_look_and_copy_are_not_served(desk: Desk) -> None:
    file = desk.upload(CSV)
    noted = desk.filing.intake.recorded(desk.scope, file.id)
    assert noted is not None
    desk.filing.bucket.write(upload_key(desk.scope, file.id), b"EVIL,b\n1", "text/csv")
    after = desk.filing.intake.promote(desk.scope, noted)
    assert after is not None
    assert (after.status, after.reason) == ("rejected", "the uploaded content is gone")
    assert desk.filing.bucket.head(clean_key(desk.scope, file.id)) is None


def test_a_step_cut_off_by_a_crash_is_gone_on_with(desk: Desk) -> None:
    file = desk.upload(CSV)
    desk.filing.intake.recorded(desk.scope, file.id)
    assert desk.arrive(file).parse.status == "ready"


def test_a_file_deleted_while_it_is_copied_leaves_no_copy(desk: Desk) -> None:
    file = desk.upload(CSV)
    noted = desk.filing.intake.recorded(desk.scope, file.id)
    assert noted is not None
    desk.filing.files.delete(desk.identity(), file.id)
    desk.filing.intake.promote(desk.scope, noted)
    assert desk.filing.bucket.head(clean_key(desk.scope, file.id)) is None
    with pytest.raises(NotFound):
        desk.filing.files.get(desk.identity(), file.id)


def test_many_at_once_take_each_step_once(desk: Desk) -> None:
    file = desk.upload(CSV)
    threads = [threading.Thread(target=desk.arrive_elsewhere, args=(file,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert desk.events(f"file:{file.id}") == [
        f"file.{what}" for what in ("created", "uploaded", "available", "parsing", "parsed")
    ]


def parser(desk: Desk, sandbox: object) -> Parser:
    return Parser(desk.filing.store, desk.filing.bucket, sandbox)  # type: ignore[arg-type]


def available(desk: Desk) -> File:
    file = desk.upload(CSV)
    after = desk.filing.intake.arrived(desk.scope, file.id)
    assert after is not None
    assert after.status is Status.AVAILABLE
    return after


def test_a_parse_that_breaks_for_other_reasons_is_tried_again(desk: Desk) -> None:
    file = available(desk)

    def broken(path: Path, content_type: str, name: str) -> Outcome:
        raise Unavailable("no process")

    with pytest.raises(Unavailable):
        parser(desk, broken).parse(desk.scope, file.id)
    held = desk.filing.store.load(desk.scope, file.id)
    assert held is not None
    assert (held.parse.status, held.parse.attempts) == ("pending", 1)
    assert desk.arrive(file).parse.status == "ready"


def test_a_function_that_died_parsing_is_followed_by_lambdas_next_attempt(desk: Desk) -> None:
    file = available(desk)
    now_ms = desk.filing.store.now_ms()
    started = life.parse_started(file, now_ms, "the event")
    assert started is not None
    assert desk.filing.store.change(desk.scope, file, started)
    Arrivals(desk.filing).arrived(desk.scope, file.id, "another event")
    assert desk.filing.store.load(desk.scope, file.id) == started
    Arrivals(desk.filing).arrived(desk.scope, file.id, "the event")
    held = desk.filing.store.load(desk.scope, file.id)
    assert held is not None
    assert (held.parse.status, held.parse.attempts) == ("ready", 2)


def test_duplicates_of_its_event_leave_a_parser_alone(desk: Desk) -> None:
    file = available(desk)

    def slow(path: Path, content_type: str, name: str) -> Outcome:
        for number in range(life.MAX_ATTEMPTS):
            Arrivals(desk.filing).arrived(desk.scope, file.id, f"duplicate {number}")
        return Outcome("ready", "", SUMMARY)

    parser(desk, slow).parse(desk.scope, file.id, "the event")
    held = desk.filing.store.load(desk.scope, file.id)
    assert held is not None
    assert (held.parse.status, held.parse.attempts) == ("ready", 1)
    assert desk.events(f"file:{file.id}").count("file.parsing") == 1


def test_a_file_deleted_while_it_is_parsed_leaves_no_result(desk: Desk) -> None:
    file = available(desk)

    def slow(path: Path, content_type: str, name: str) -> Outcome:
        desk.filing.files.delete(desk.identity(), file.id)
        return Outcome("ready", "", SUMMARY)

    parser(desk, slow).parse(desk.scope, file.id)
    assert desk.filing.bucket.head(parsed_key(desk.scope, file)) is None


def test_a_file_deleted_while_it_is_wanted_again_is_not_found(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    file, read = desk.arrive(desk.upload(CSV)), desk.filing.access.readable

    def deleted_behind(identity: Identity, file_id: str) -> File:
        found = read(identity, file_id)
        monkeypatch.undo()
        desk.filing.files.delete(identity, file_id)
        return found

    monkeypatch.setattr(desk.filing.access, "readable", deleted_behind)
    with pytest.raises(NotFound):
        desk.filing.files.parse_again(desk.identity(), file.id)


def test_a_file_too_big_to_parse_is_not_fetched(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.files.parsing.limits.FILE_BYTES", 5)
    after = desk.arrive(desk.upload(CSV))
    assert (after.status, after.parse.status) == ("available", "limited")
    assert "are not parsed" in after.parse.detail
