"""Lists: everybody sees all and only what he may read, newest first, page by page."""

import pytest

from shared.auth.identity import Identity
from shared.sessions.listing import Wanted
from shared.sessions.model import Access, Session
from tests.sessions.conftest import Team


def listed(team: Team, caller: Identity, *, limit: int = 50, **wanted: str) -> list[str]:
    """Ids of all pages."""
    ids: list[str] = []
    after: str | None = ""
    while after is not None:
        found, after = team.lists.page(caller, Wanted(**wanted), after, limit)
        assert len(found) <= limit
        ids += [session.id for session in found]
    return ids


def newest_first(*sessions: Session) -> list[str]:
    return [one.id for one in sorted(sessions, key=lambda one: (one.created_ms, one.id), reverse=True)]


def test_everybody_sees_what_he_may_read(team: Team) -> None:
    mine, other = team.create("ann"), team.create("bob")
    to_ann = team.create("bob", access=Access(None, {"ann": "read"}))
    to_all = team.create("bob", access=Access("read", {}))
    assert listed(team, team.identity("ann")) == newest_first(mine, to_ann, to_all)
    assert listed(team, team.identity("bob")) == newest_first(other, to_ann, to_all)
    assert listed(team, team.identity("cat")) == newest_first(to_all)
    assert listed(team, team.admin()) == newest_first(mine, other, to_ann, to_all)
    stranger = team.other_tenant()
    assert listed(stranger, stranger.admin()) == []
    assert listed(stranger, stranger.identity("ann")) == []


def test_the_owner_filter_opens_no_doors(team: Team) -> None:
    mine, other = team.create("ann"), team.create("bob")
    shared = team.create("bob", access=Access("read", {}))
    assert listed(team, team.identity("ann"), owner="bob") == newest_first(shared)
    assert listed(team, team.identity("ann"), owner="ann") == newest_first(mine)
    assert listed(team, team.admin(), owner="bob") == newest_first(other, shared)


def test_taking_a_share_away_takes_it_from_the_list(team: Team) -> None:
    session = team.create(access=Access("read", {"bob": "write"}))
    assert listed(team, team.identity("bob")) == [session.id]
    team.sessions.share(team.identity(), session.id, lambda _: Access(None, {"bob": "write"}), None)
    assert listed(team, team.identity("cat")) == []
    team.sessions.share(team.identity(), session.id, lambda _: Access(), None)
    assert listed(team, team.identity("bob")) == []


def test_the_status_filter_knows_what_sweep_has_not_seen(team: Team) -> None:
    ended, expired, active = team.create(), team.create(ttl_s=5), team.create()
    team.sessions.end(team.identity(), ended.id, None)
    team.later(6)
    for status, session in (("ended", ended), ("expired", expired), ("active", active)):
        assert listed(team, team.identity(), status=status) == [session.id]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_neither_skip_nor_repeat_while_sessions_come_and_go(team: Team, limit: int) -> None:
    sessions = [team.create() for _ in range(6)]
    expected = newest_first(*sessions)
    found, after = team.lists.page(team.identity(), Wanted(), "", limit)
    ids = [session.id for session in found]
    team.create()
    for gone in (ids[0], expected[-1]):
        team.sessions.delete(team.identity(), gone, None)
    while after is not None:
        found, after = team.lists.page(team.identity(), Wanted(), after, limit)
        ids += [session.id for session in found]
    assert [one for one in ids if one != expected[-1]] == expected[:-1]


def test_a_page_ends_before_it_is_too_large_for_lambda(team: Team) -> None:
    for _ in range(52):
        team.create(data={"text": "x" * 65_000})
    found, after = team.lists.page(team.identity(), Wanted(), "", 200)
    assert 40 < len(found) < 50
    rest, end = team.lists.page(team.identity(), Wanted(), after or "", 200)
    assert (len(found) + len(rest), end) == (52, None)
