"""How many sessions a tenant and a user may have at a time."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.errors import LimitReached
from shared.sessions.model import Access
from shared.sessions.service import NewSession
from tests.sessions.conftest import Team

CAPS = pytest.mark.parametrize("cap", ["max_sessions_per_tenant", "max_sessions_per_user"])


def create(team: Team, cap: str, most: int, ttl_s: int = 100) -> str:
    new = NewSession(data={}, ttl_s=ttl_s, lifetime_s=100_000, access=Access())
    return team.limited(**{cap: most}).create(team.identity(), new, secrets.token_hex(16)).id


@CAPS
def test_racing_creates_never_overshoot_a_cap(team: Team, pool: ThreadPoolExecutor, cap: str) -> None:
    def attempt(_: int) -> str | None:
        try:
            return create(team, cap, 5)
        except LimitReached:
            return None

    made = [session_id for session_id in pool.map(attempt, range(16)) if session_id]
    assert len(made) == 5
    with pytest.raises(LimitReached, match=f"the {cap.rpartition('_')[2]} has 5 active sessions"):
        create(team, cap, 5)
    team.sessions.end(team.identity(), made[0], None)
    team.sessions.delete(team.identity(), made[1], None)
    again = [attempt(0) is not None for _ in range(3)]
    assert again == [True, True, False]


@CAPS
def test_sessions_whose_time_is_over_take_no_room_though_sweep_has_not_seen_them(team: Team, cap: str) -> None:
    over = [create(team, cap, 2, ttl_s=10) for _ in range(2)]
    with pytest.raises(LimitReached):
        create(team, cap, 2)
    team.later(10)
    create(team, cap, 2)
    create(team, cap, 2)
    with pytest.raises(LimitReached):
        create(team, cap, 2)
    assert [team.events(session_id)[-1]["type"] for session_id in over] == ["session.expired"] * 2


@CAPS
def test_sessions_that_were_kept_alive_keep_their_room(team: Team, cap: str) -> None:
    kept = create(team, cap, 1, ttl_s=10)
    team.later(9)
    team.sessions.touch(team.identity(), kept)
    team.later(5)
    with pytest.raises(LimitReached) as refused:
        create(team, cap, 1)
    assert refused.value.retry_after in (4, 5)
    assert team.sessions.get(team.identity(), kept).status == "active"


@CAPS
def test_who_finds_no_room_is_told_when_there_may_be(team: Team, cap: str) -> None:
    for ttl_s in (5_000, 300, 9_000):
        create(team, cap, 3, ttl_s)
    with pytest.raises(LimitReached) as refused:
        create(team, cap, 3)
    assert refused.value.retry_after in (299, 300)
    team.later(298)
    with pytest.raises(LimitReached) as refused:
        create(team, cap, 3)
    assert refused.value.retry_after in (1, 2)


@CAPS
def test_nobody_is_told_to_wait_for_days(team: Team, cap: str) -> None:
    create(team, cap, 1, ttl_s=50_000)
    with pytest.raises(LimitReached) as refused:
        create(team, cap, 1)
    assert refused.value.retry_after == 3_600
