"""What Centrifugo sells or added late: versions of publications, and tokens revoked one session at a time."""

import time
from typing import Any

import pytest
import redis

from functions.sweep.visits import visits
from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from shared.auth.due import Due
from shared.errors import InvalidToken
from tests.functions.backend import Backend, backend_of
from tests.realtime.conftest import World, sent, world

__all__ = ["sent", "world"]
BIG = 9_007_199_254_740_993


@pytest.fixture
def backend(world: World, issuer: ThreadedIssuer) -> Backend:
    return backend_of(world, issuer)


def published(backend: Backend, channel: str, *requests: dict[str, Any]) -> list[int]:
    """The data of those that the channel kept."""
    for data, request in enumerate(requests):
        result = backend.result("publish", {"channel": channel, "data": data, **request})
    kept = backend.result("history", {"channel": channel, "limit": -1})
    assert (result["offset"], result["epoch"]) == (kept["offset"], kept["epoch"])
    return [one["data"] for one in kept["publications"]]


def test_a_version_that_is_not_newer_is_suppressed(backend: Backend) -> None:
    versions = (5, 5, 4, 6, 60, 7)
    assert published(backend, "a", *({"version": version} for version in versions)) == [0, 3, 4]


def test_versions_beyond_what_a_float_holds_are_told_apart(backend: Backend) -> None:
    assert published(backend, "a", {"version": BIG}, {"version": BIG + 1}, {"version": BIG}) == [0, 1]


def test_another_epoch_of_versions_begins_anew(backend: Backend) -> None:
    requests: list[dict[str, Any]] = [{"version": 5, "version_epoch": "x"}, {"version": 1, "version_epoch": "y"}]
    same: list[dict[str, Any]] = [
        {"version": 1, "version_epoch": "y"},
        {"version": 2, "version_epoch": "y"},
        {"version": 2},
    ]
    assert published(backend, "a", *requests, *same) == [0, 1, 3]


def test_publications_without_a_version_pass(backend: Backend) -> None:
    assert published(backend, "a", {"version": 5}, {}, {"version": None}, {"version": 0}, {"version": 5}) == [
        0,
        1,
        2,
        3,
    ]


def test_versions_are_of_one_channel(backend: Backend) -> None:
    answers = [
        backend.result(
            "broadcast", {"channels": ["a", "b"], "data": version, "version": version, "idempotency_key": key}
        )
        for version, key in ((2, "x"), (2, "x"), (1, "y"), (3, "z"))
    ]
    assert [[one["result"]["offset"] for one in answer["responses"]] for answer in answers] == [
        [1, 1],
        [1, 1],
        [1, 1],
        [2, 2],
    ]


def test_a_suppressed_version_reaches_nobody_and_a_version_costs_nothing(
    backend: Backend, upstash: ThreadedUpstash
) -> None:
    client = backend.world.client()
    backend.world.subscribe(client, "chat:a")
    channels, scope = backend.world.realtime.channels, backend.world.scope
    for version in (1, 2, 2):
        channels.publish(scope, "chat:a", b"1", version=version)
    assert backend.world.sent.offsets(client.connection, "chat:a") == [1, 2]
    with upstash.counting() as plain:
        channels.publish(scope, "chat:a", b"1")
    with upstash.counting() as versioned:
        channels.publish(scope, "chat:a", b"1", version=3)
    assert (versioned.round_trips, versioned.commands) == (plain.round_trips, plain.commands)


@pytest.mark.parametrize("wrong", [{"version": -1}, {"version": "1"}, {"version": 1, "version_epoch": "x" * 129}])
def test_a_wrong_version_is_told(backend: Backend, wrong: dict[str, Any]) -> None:
    assert backend.error("publish", {"channel": "a", "data": 1, **wrong}) == 107


# --- revoke_token


def test_a_revoked_session_is_closed_and_stays_out(backend: Backend) -> None:
    world = backend.world
    ann, other = world.client("ann"), world.client("bob")
    assert backend.result("revoke_token", {"uid": "session-of-ann"}) == {}
    assert world.sent.pushes(ann.connection, "disconnect") == [{"code": 3500, "reason": "invalid token"}]
    with pytest.raises(InvalidToken):
        world.client("ann")
    world.client("bob")
    assert world.sent.pushes(other.connection, "disconnect") == []


def test_nobody_needs_to_be_connected(backend: Backend) -> None:
    token = backend.token("admin", session_id="session-of-ann")
    assert backend.result("revoke_token", {"uid": "session-of-ann", "expire_at": int(time.time()) + 500}) == {}
    assert backend.post("info", headers=token).status_code == 401
    assert backend.result("info", headers=backend.token("admin", session_id="session-of-bob"))


def test_who_was_let_in_by_an_environment_that_did_not_know_is_closed_later(
    backend: Backend, redis_direct: "redis.Redis"
) -> None:
    world = backend.world
    backend.result("revoke_token", {"uid": "session-of-ann"})
    ann, bob = world.client("ann"), world.client("bob")
    noted = [redis_direct.zscore(key, f"revoked|{world.scope.label}") for key in redis_direct.scan_iter("{sys}:due:*")]
    (deadline,) = filter(None, noted)
    assert deadline == pytest.approx(time.time() * 1000 + 65_000, abs=5_000)
    visits(world.realtime)["revoked"](Due("revoked", world.scope.label, int(deadline)), 0.0)
    assert world.sent.closed == [ann.connection]
    assert world.sent.pushes(bob.connection, "disconnect") == []


def test_with_its_user_a_session_needs_no_connection(backend: Backend) -> None:
    request = {"uid": "session-of-ann", "user": "ann", "expire_at": int(time.time()) + 500}
    assert backend.result("revoke_token", request) == {}
    with pytest.raises(InvalidToken):
        backend.world.client("ann")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({}, 107),
        ({"uid": ""}, 107),
        ({"uid": "with space"}, 107),
        ({"uid": "x" * 76}, 107),
        ({"uid": "session-of-ann", "channel": "chat:a"}, 108),
    ],
)
def test_what_cannot_be_revoked_is_told(backend: Backend, request_: dict[str, Any], code: int) -> None:
    assert backend.error("revoke_token", request_) == code
