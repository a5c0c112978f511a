"""The rules of a file's life, without any server: every state against everything that can happen to it."""

import pytest
from msgspec.structs import replace

from shared.files import life
from shared.files.model import Copied, File, Parse, ParseStatus, Status, StoredObject

NOW = 1_800_000_000_000
PENDING = File("f" * 32, "a.csv", "text/csv", 10, "ann", NOW, NOW, NOW + 60_000, sha256="ab" * 32)
STORED = StoredObject("etag", 10, "text/csv", "ab" * 32)


def in_status(status: Status) -> File:
    return replace(PENDING, status=status, etag="etag", clean_etag="etag", version=3)


def available(parse: Parse, due_ms: int = 0) -> File:
    return replace(in_status(Status.AVAILABLE), parse=parse, due_ms=due_ms)


def test_an_upload_that_was_promised_is_noted() -> None:
    after = life.appeared(PENDING, STORED, NOW + 5)
    assert after is not None
    assert (after.status, after.etag, after.version, after.updated_ms) == ("uploaded", "etag", 2, NOW + 5)


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (StoredObject("etag", 11, "text/csv", ""), "10 bytes were declared and 11 uploaded"),
        (StoredObject("etag", 10, "text/html", ""), "text/csv was declared and text/html uploaded"),
        (StoredObject("etag", 10, "", ""), "text/csv was declared and nothing uploaded"),
        (StoredObject("etag", 10, "text/csv", "cd" * 32), "the content does not have the declared SHA-256"),
    ],
)
def test_an_upload_that_was_not_promised_is_rejected(stored: StoredObject, reason: str) -> None:
    after = life.appeared(PENDING, stored, NOW)
    assert after is not None
    assert (after.status, after.reason) == ("rejected", reason)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PENDING])
def test_an_upload_is_noted_once(status: Status) -> None:
    assert life.appeared(in_status(status), STORED, NOW) is None
    assert life.expired(in_status(status), NOW + 10**9) is None


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.UPLOADED])
def test_only_what_was_uploaded_is_promoted_or_vanishes(status: Status) -> None:
    assert life.promoted(in_status(status), Copied("copy", "ab" * 32), NOW) is None
    assert life.vanished(in_status(status), NOW) is None


def test_a_copy_with_the_declared_digest_or_with_none_declared_is_available() -> None:
    for declared in ("ab" * 32, ""):
        uploaded = replace(in_status(Status.UPLOADED), sha256=declared)
        after = life.promoted(uploaded, Copied("copy", "ab" * 32), NOW)
        assert after is not None
        assert (after.status, after.clean_etag) == ("available", "copy")


def test_a_copy_with_another_digest_is_rejected() -> None:
    after = life.promoted(in_status(Status.UPLOADED), Copied("copy", "cd" * 32), NOW)
    assert after is not None
    assert (after.status, after.reason) == ("rejected", "the content does not have the declared SHA-256")


def test_an_upload_expires_at_its_deadline_and_not_before() -> None:
    assert life.expired(PENDING, PENDING.due_ms - 1) is None
    after = life.expired(PENDING, PENDING.due_ms)
    assert after is not None
    assert after.status == "expired"


def test_a_reader_sees_the_expiry_before_it_is_written_down() -> None:
    assert PENDING.seen_at(PENDING.due_ms - 1).status == "pending"
    seen, written = PENDING.seen_at(PENDING.due_ms), life.expired(PENDING, PENDING.due_ms)
    assert written is not None
    assert (seen.status, seen.version) == (written.status, written.version) == ("expired", 2)


def test_a_large_upload_is_given_the_time_it_takes() -> None:
    small, large = (life.upload_deadline(NOW, size, 900) - NOW for size in (1, 1 << 30))
    assert 900_000 <= small < 1_100_000
    assert large > 2 * 3_600_000


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.DELETED])
def test_everything_can_be_deleted_once(status: Status) -> None:
    after = life.deleted(in_status(status), NOW)
    assert after is not None
    assert after.status == "deleted"
    assert life.deleted(after, NOW) is None


def test_only_an_open_upload_in_parts_is_given_up() -> None:
    waiting = in_status(Status.PENDING)
    assert life.aborted(waiting, NOW) is None
    for status in Status:
        after = life.aborted(replace(in_status(status), upload_id="u"), NOW)
        assert (after is not None) == (status is Status.PENDING)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.AVAILABLE])
def test_only_available_files_are_parsed(status: Status) -> None:
    assert life.parse_started(in_status(status), NOW) is None
    assert life.parse_wanted(in_status(status), NOW) is None


def test_parsing_is_begun_by_one() -> None:
    started = life.parse_started(available(Parse()), NOW)
    assert started is not None
    assert (started.parse.status, started.parse.attempts) == ("running", 1)
    assert life.parse_started(started, NOW + life.STEP_MS - 1) is None


def test_a_parser_that_died_is_followed_by_another_but_not_for_ever() -> None:
    file = available(Parse())
    for attempt in range(1, life.MAX_ATTEMPTS + 1):
        following = life.parse_started(file, file.due_ms or NOW)
        assert following is not None
        assert following.parse.attempts == attempt
        file = following
    given_up = life.parse_started(file, file.due_ms)
    assert given_up is not None
    assert (given_up.parse.status, given_up.due_ms) == ("failed", 0)


@pytest.mark.parametrize("status", list(ParseStatus))
def test_a_finished_parse_can_be_wanted_again(status: ParseStatus) -> None:
    again = life.parse_wanted(available(Parse(status, attempts=3)), NOW)
    assert (again is not None) == (status not in (ParseStatus.PENDING, ParseStatus.RUNNING))
    if again is not None:
        assert again.parse == Parse()


def test_parsing_never_makes_a_file_unavailable() -> None:
    for status in ParseStatus:
        assert life.parse_finished(available(Parse()), status, "reason", NOW).status == "available"


def test_events_are_named_after_what_changed() -> None:
    created, uploaded = PENDING, in_status(Status.UPLOADED)
    ready, running = available(Parse(ParseStatus.READY)), available(Parse(ParseStatus.RUNNING))
    pairs = [(None, created), (created, uploaded), (uploaded, running), (running, running), (running, ready)]
    assert [life.event_type(old, new) for old, new in pairs] == [
        "file.created",
        "file.uploaded",
        "file.available",
        "file.parsing",
        "file.parsed",
    ]
