"""Who may not read a session hears no more of it; who may, hears the last word."""

import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import pytest

from local.redis import ThreadedUpstash
from shared.auth.identity import Permission
from shared.auth.sockets import Socket
from shared.errors import PermissionDenied
from shared.files.filing import Filing
from shared.files.model import File
from shared.files.uploads import NewFile
from shared.sessions.changes import REVIEW_AFTER_MS
from shared.sessions.model import Access, Session, Status
from tests.sessions.conftest import Team
from tests.support.connections import RecordingConnections

NOBODY = Access()
FOR_BOB = Access(None, {"bob": "write"})
FOR_ALL = Access("read", {"bob": "read"})


def channel(session: Session) -> str:
    return f"session:{session.id}"


def share(team: Team, session: Session, access: Access) -> None:
    team.sessions.share(team.identity(), session.id, lambda _: access, None)


def heard(sent: RecordingConnections, socket: Socket) -> list[object]:
    """What a client was pushed, in order: types of events, and codes of unsubscribing."""
    pushes = [frame["push"] for frame in sent.frames(socket.connection) if "push" in frame]
    return [push["pub"]["data"]["type"] if "pub" in push else push["unsubscribe"]["code"] for push in pushes]


def present(team: Team, where: str) -> set[str]:
    return set(team.realtime.channels.members(team.scope, where))


@pytest.mark.parametrize(
    ("before", "after"), [(FOR_BOB, NOBODY), (FOR_ALL, NOBODY), (FOR_ALL, Access(None, {"cat": "read"}))]
)
def test_who_loses_his_share_is_unsubscribed_and_hears_nothing_more(
    team: Team, sent: RecordingConnections, before: Access, after: Access
) -> None:
    session = team.create(access=before)
    ann, bob = (team.listen(channel(session), user) for user in ("ann", "bob"))
    boss = team.listen(channel(session), "boss", Permission.ADMIN)
    share(team, session, after)
    team.sessions.patch(team.identity(), session.id, {"secret": 1}, None)
    assert heard(sent, bob) == ["session.updated", 2000]
    assert heard(sent, ann) == heard(sent, boss) == ["session.updated", "session.updated"]
    assert present(team, channel(session)) == {ann.connection, boss.connection}
    with pytest.raises(PermissionDenied):
        team.realtime.channels.history(team.scope, channel(session), limit=9, on_behalf=bob)
    with pytest.raises(PermissionDenied):
        team.realtime.channels.presence(team.scope, channel(session), on_behalf=bob)


@pytest.mark.parametrize(
    ("before", "after"), [(NOBODY, FOR_BOB), (FOR_BOB, Access("read", {})), (FOR_ALL, FOR_BOB), (FOR_BOB, FOR_BOB)]
)
def test_who_keeps_a_share_stays(team: Team, sent: RecordingConnections, before: Access, after: Access) -> None:
    session = team.create(access=before)
    bob = team.listen(channel(session), "bob")
    share(team, session, after)
    assert heard(sent, bob) == ["session.updated"]


def test_nobody_is_looked_for_where_nobody_lost_anything(team: Team, upstash: ThreadedUpstash) -> None:
    session = team.create()
    share(team, session, NOBODY)
    with upstash.counting() as cost:
        share(team, session, FOR_BOB)
    assert cost.round_trips == 2


def test_all_lanes_are_looked_through(team: Team, sent: RecordingConnections) -> None:
    object.__setattr__(team.settings, "lane_size", 2)
    session = team.create(access=FOR_ALL)
    listeners = [team.listen(channel(session), user) for user in ("ann", "bob", "bob", "ann", "bob")]
    share(team, session, NOBODY)
    assert present(team, channel(session)) == {one.connection for one in listeners if one.user == "ann"}


def uploaded(team: Team, session: Session, owner: str) -> File:
    filing = Filing(team.realtime, team.access.may_read, team.access.writable)
    new = NewFile(name="a.csv", content_type="text/csv", size=1, session_id=session.id)
    return filing.uploads.create(team.identity(owner), new, secrets.token_hex(16))[0]


@pytest.mark.parametrize("taken", ["share", "delete"])
def test_the_channels_of_its_files_follow(team: Team, sent: RecordingConnections, taken: str) -> None:
    session = team.create(access=FOR_BOB)
    of_ann, of_bob = (f"file:{uploaded(team, session, owner).id}" for owner in ("ann", "bob"))
    ann, bob, bob_again = team.listen(of_ann), team.listen(of_ann, "bob"), team.listen(of_bob, "bob")
    boss = team.listen(of_bob, "boss", Permission.ADMIN)
    if taken == "share":
        share(team, session, NOBODY)
    else:
        team.sessions.delete(team.identity(), session.id, None)
    assert heard(sent, bob) == [2000]
    assert present(team, of_ann) == {ann.connection}
    assert present(team, of_bob) == {bob_again.connection, boss.connection}


def test_an_ended_sessions_files_are_still_heard_of(team: Team) -> None:
    session = team.create(access=FOR_BOB)
    file = f"file:{uploaded(team, session, 'ann').id}"
    bob = team.listen(file, "bob")
    team.sessions.end(team.identity(), session.id, None)
    assert present(team, file) == {bob.connection}


def over(team: Team, session: Session, how: str) -> None:
    if how == "ended":
        team.sessions.end(team.identity(), session.id, None)
    elif how == "deleted":
        team.sessions.delete(team.identity(), session.id, None)
    else:
        team.later(101)
        team.expiry.expire_due(team.scope, team.now_ms(), 10)


WAYS = ("ended", "deleted", "expired")


@pytest.mark.parametrize("how", WAYS)
def test_when_it_is_over_all_are_told_and_let_go(team: Team, sent: RecordingConnections, how: str) -> None:
    session = team.create()
    listeners = [team.listen(channel(session)) for _ in range(2)]
    over(team, session, how)
    assert [heard(sent, one) for one in listeners] == [[f"session.{how}", 2000]] * 2
    assert present(team, channel(session)) == set()


@pytest.mark.parametrize("how", WAYS)
def test_in_several_lanes_too_all_are_told_before_they_are_let_go(
    team: Team, sent: RecordingConnections, how: str
) -> None:
    object.__setattr__(team.settings, "lane_size", 2)
    session = team.create()
    listeners = [team.listen(channel(session)) for _ in range(5)]
    over(team, session, how)
    assert [heard(sent, one) for one in listeners] == [[f"session.{how}", 2000]] * 5


class Died(BaseException):
    """A worker's end."""


@contextmanager
def review_fails(team: Team, why: type[BaseException]) -> Iterator[None]:
    """The change is made, and then nobody is let go."""

    def fail(*_: object) -> bool:
        raise why

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(team.audience, "review", fail)
        yield


def share_and_die(team: Team, session: Session, access: Access) -> None:
    with review_fails(team, Died), pytest.raises(Died):
        share(team, session, access)


def sweep_later(team: Team) -> None:
    due = team.expiry.next_due(team.scope)
    assert due is not None
    team.later((due - team.now_ms()) / 1000 + 1)
    team.expiry.expire_due(team.scope, team.now_ms(), 10)


def test_who_waits_for_a_busy_lane_is_told_before_he_is_let_go(team: Team, sent: RecordingConnections) -> None:
    session, ann = team.create(), team.identity()
    listener, slow = team.listen(channel(session)), team.other_environment()
    with ThreadPoolExecutor(1) as pool:
        ends: list[Future[Session]] = []

        def end_meanwhile(body: str) -> int:
            if "session.updated" in body:
                ends.append(pool.submit(team.sessions.end, ann, session.id, None))
                wait(ends, timeout=0.2)
            return 200

        sent.answers[listener.connection] = end_meanwhile
        slow.sessions.patch(ann, session.id, {"a": 1}, None)
        assert ends[0].result().status is Status.ENDED
    assert heard(sent, listener) == ["session.updated", "session.ended", 2000]


def test_where_the_worker_died_sweep_lets_go(team: Team, sent: RecordingConnections) -> None:
    session = team.create(access=FOR_BOB)
    bob = team.listen(channel(session), "bob")
    share_and_die(team, session, NOBODY)
    assert present(team, channel(session)) == {bob.connection}
    sweep_later(team)
    assert heard(sent, bob) == ["session.updated", 2000]


def test_who_was_let_in_just_before_and_joins_after_is_let_go_by_sweep(team: Team) -> None:
    session = team.create(access=FOR_BOB)
    assert team.access.may_read(team.identity("bob"), session.id)
    share(team, session, NOBODY)
    team.listen(channel(session), "bob")
    sweep_later(team)
    assert present(team, channel(session)) == set()


def test_a_review_is_kept_until_there_was_time_for_it(team: Team) -> None:
    session = team.create(access=FOR_BOB)
    bob = team.listen(channel(session), "bob")
    share_and_die(team, session, NOBODY)
    team.later(REVIEW_AFTER_MS / 1000 + 1)
    team.expiry.expire_due(team.scope, team.now_ms(), 10, until=0.0)
    assert present(team, channel(session)) == {bob.connection}
    team.expiry.expire_due(team.scope, team.now_ms(), 10)
    assert present(team, channel(session)) == set()


def test_a_change_succeeds_though_nobody_can_be_let_go_now(team: Team, sent: RecordingConnections) -> None:
    session = team.create(access=FOR_BOB, ttl_s=500)
    bob = team.listen(channel(session), "bob")
    with review_fails(team, OSError):
        share(team, session, NOBODY)
    sweep_later(team)
    assert heard(sent, bob) == ["session.updated", 2000]
    assert team.expiry.next_due(team.scope) == session.expires_ms
