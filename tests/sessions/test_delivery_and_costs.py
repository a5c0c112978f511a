"""A change reaches the subscribers of `session:<id>`, within DESIGN §5's budgets."""

import pytest

from local.redis import ThreadedUpstash
from tests.sessions.conftest import Team
from tests.support.connections import RecordingConnections


def test_subscribers_get_every_change_in_version_order(team: Team, sent: RecordingConnections) -> None:
    session, ann = team.create(), team.identity()
    socket = team.listen(f"session:{session.id}")
    for i in range(3):
        team.sessions.patch(ann, session.id, {"i": i}, None)
    team.sessions.end(ann, session.id, None)
    pushes = [push["data"] for push in sent.pushes(socket.connection, "pub")]
    assert [(push["type"], push["version"], push.get("patch")) for push in pushes] == [
        ("session.updated", 2, {"i": 0}),
        ("session.updated", 3, {"i": 1}),
        ("session.updated", 4, {"i": 2}),
        ("session.ended", 5, None),
    ]


def test_an_expiry_that_sweep_finds_is_pushed(team: Team, sent: RecordingConnections) -> None:
    session = team.create(ttl_s=10)
    socket = team.listen(f"session:{session.id}")
    team.later(11)
    team.expiry.expire_due(team.scope, team.now_ms(), 10)
    assert [push["data"]["type"] for push in sent.pushes(socket.connection, "pub")] == ["session.expired"]


def test_get_costs_one_round_trip_and_three_commands(team: Team, upstash: ThreadedUpstash) -> None:
    session = team.create()
    team.sessions.get(team.identity(), session.id)
    with upstash.counting() as cost:
        team.sessions.get(team.identity(), session.id)
    assert (cost.round_trips, cost.commands) == (1, 3)


@pytest.mark.parametrize("listeners", [0, 1, 5])
def test_patch_with_its_event_and_delivery_stays_within_its_budget(
    team: Team, upstash: ThreadedUpstash, listeners: int
) -> None:
    session = team.create()
    for _ in range(listeners):
        team.listen(f"session:{session.id}")
    team.sessions.patch(team.identity(), session.id, {"warm": 1}, None)
    with upstash.counting() as cost:
        team.sessions.patch(team.identity(), session.id, {"a": 1}, None)
    assert (cost.round_trips, cost.commands) == ((2, 10) if listeners == 0 else (3, 15))


def test_touch_within_its_throttle_costs_what_get_costs(team: Team, upstash: ThreadedUpstash) -> None:
    session = team.create()
    team.sessions.touch(team.identity(), session.id)
    with upstash.counting() as cost:
        team.sessions.touch(team.identity(), session.id)
    assert (cost.round_trips, cost.commands) == (1, 3)


def test_an_expiry_that_nobody_hears_costs_nothing_for_listeners(team: Team, upstash: ThreadedUpstash) -> None:
    def cost_of(listeners: int) -> int:
        session = team.create(ttl_s=10)
        for _ in range(listeners):
            team.listen(f"session:{session.id}")
        team.later(11)
        with upstash.counting() as cost:
            assert team.expiry.expire_due(team.scope, team.now_ms(), 10) == 1
        return cost.round_trips

    # What is due of three kinds, its record, the change.
    assert cost_of(0) == 5
    assert cost_of(1) > 5
