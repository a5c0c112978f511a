"""A session's record: written and read back, also what a later version of the code wrote."""

from dataclasses import replace

from shared.sessions.model import FIELDS, Access, Session, Status, record_of, session_of

SESSION = Session(
    id="s",
    owner="ann",
    data='{"step":1}',
    version=3,
    status=Status.ACTIVE,
    access=Access("read", {"bob": "write"}),
    created_ms=1,
    updated_ms=2,
    touched_ms=3,
    idle_ms=4,
    last_ms=5,
    kept_ms=6,
    stored_version=3,
)


def fields_of(session: Session) -> dict[str, str]:
    flat = list(map(str, record_of(session)))
    return dict(zip(flat[::2], flat[1::2], strict=True))


def test_a_record_reads_back() -> None:
    written = fields_of(SESSION)
    assert session_of([written.get(name) for name in FIELDS]) == SESSION
    assert session_of([None] * len(FIELDS)) is None


def test_a_later_version_of_the_code_may_share_in_more_ways() -> None:
    written = fields_of(replace(SESSION, access=Access("read")))
    written["access"] = written["access"][:-1] + ',"groups":{"staff":"read"}}'
    read = session_of([written.get(name) for name in FIELDS])
    assert read is not None
    assert read.access == Access("read")
