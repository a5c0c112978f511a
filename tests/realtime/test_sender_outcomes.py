"""The sender, against what API Gateway answers and against its own surprises."""

import time

import pytest

from shared.realtime.sender import Outcome, Post
from tests.realtime.conftest import World
from tests.support.connections import hanging

FRAME = [b'{"push":{}}']


def outcome(world: World, connection: str, frames: list[bytes] = FRAME, within_s: float = 2.0) -> Outcome:
    report = world.realtime.sender.post([Post(connection, frames)], time.monotonic() + within_s)
    return report.outcomes[connection]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Outcome.DELIVERED),
        (410, Outcome.GONE),
        (400, Outcome.GONE),
        (413, Outcome.UNKNOWN),
        (500, Outcome.UNKNOWN),
        (503, Outcome.UNKNOWN),
        (403, Outcome.UNSENT),
    ],
)
def test_each_answer_of_the_gateway_has_its_outcome(world: World, status: int, expected: Outcome) -> None:
    world.sent.answers["c"] = status
    assert outcome(world, "c") is expected


def test_a_frame_that_never_gets_through_does_not_hold_up_the_lane(world: World) -> None:
    client, other = world.client("ann"), world.client("bob")
    for one in (client, other):
        world.subscribe(one, "chat:lobby")
    world.sent.answers[client.connection] = lambda body: 413 if '"pub"' in body else 200
    world.publish("chat:lobby", 1, 2)
    assert world.sent.offsets(other.connection, "chat:lobby") == [1, 2]
    assert client.connection in world.sent.closed


def test_frames_of_one_connection_come_in_order_and_stop_at_the_first_that_fails(world: World) -> None:
    frames = [b'{"n":%d}' % i for i in range(5)]
    assert outcome(world, "c", frames) is Outcome.DELIVERED
    assert [frame["n"] for frame in world.sent.frames("c")] == [0, 1, 2, 3, 4]
    world.sent.forget()
    world.sent.answers["c"] = lambda body: 500 if body == '{"n":2}' else 200
    assert outcome(world, "c", frames) is Outcome.UNKNOWN
    assert [frame["n"] for frame in world.sent.frames("c")] == [0, 1]


def test_nothing_is_begun_after_the_deadline(world: World) -> None:
    assert outcome(world, "c", within_s=-1) is Outcome.UNSENT
    assert world.sent.posts("c") == 0


def test_throttling_without_end_stops_at_the_deadline(world: World) -> None:
    world.sent.answers["c"] = 429
    assert outcome(world, "c", within_s=0.2) is Outcome.UNSENT


def test_ids_of_connections_are_escaped(world: World) -> None:
    for connection in ("BFaT_fALIAMCKug=", "a/b", "a b?c#d", "ü%41"):
        assert outcome(world, connection) is Outcome.DELIVERED
        assert world.sent.posts(connection) == 1


def test_a_round_that_breaks_does_not_break_the_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = world.realtime.sender
    world.sent.answers["slow"] = hanging(0.2)
    posts = [Post(name, FRAME) for name in ("slow", "b", "c")]
    headers = sender._signer.headers

    def failing(method: str, url: str, *rest: object) -> object:
        if url.endswith("/c"):
            raise RuntimeError("no credentials")
        return headers(method, url, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(type(sender._signer), "headers", lambda self, *args: failing(*args))
        with pytest.raises(RuntimeError):
            sender.post(posts, time.monotonic() + 2)
    free = len(sender._free)
    assert outcome(world, "d") is Outcome.DELIVERED
    assert len(sender._free) == free == world.realtime.settings.send_concurrency


def test_more_connections_than_handles_are_all_served(world: World) -> None:
    posts = [Post(f"c{i}", FRAME) for i in range(200)]
    report = world.realtime.sender.post(posts, time.monotonic() + 10)
    assert set(report.outcomes.values()) == {Outcome.DELIVERED}
    assert len(report.outcomes) == 200
