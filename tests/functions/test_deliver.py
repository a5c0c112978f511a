"""`deliver`: what it makes of the queue's messages."""

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
import redis

from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from shared.auth.internal import scope_of
from shared.realtime.delivery import Lane, lane_message, lane_of
from shared.settings import settings
from tests.functions.websocket_events import Gateway, gateway_of
from tests.realtime.conftest import sent
from tests.support.connections import RecordingConnections

__all__ = ["sent"]
CHANNEL = "chat:lobby"


@dataclass
class Context:
    """As much of Lambda's as the function looks at."""

    remaining_ms: int = 60_000
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@pytest.fixture
def gateway(
    upstash: ThreadedUpstash, issuer: ThreadedIssuer, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> Gateway:
    return gateway_of(upstash, issuer, sent, monkeypatch)


@pytest.fixture
def queued(deliver: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the function sends to the queue."""
    messages: list[str] = []
    monkeypatch.setattr(deliver.realtime.delivery, "_queue", lambda more, delay_s: messages.extend(more))
    return messages


@pytest.fixture
def deliver(gateway: Gateway) -> Iterator[ModuleType]:
    settings.cache_clear()
    yield importlib.reload(importlib.import_module("functions.deliver.handler"))
    settings.cache_clear()


def message(gateway: Gateway, channel: str = CHANNEL) -> str:
    return lane_message(scope_of(gateway.tenant), Lane(channel))


def event(*bodies: str) -> dict[str, Any]:
    return {"Records": [{"messageId": str(i), "body": body} for i, body in enumerate(bodies)]}


def waiting(gateway: Gateway, deliver: ModuleType, direct: "redis.Redis", publications: int) -> str:
    """A subscriber for whom so many publications wait in a lane that a dead holder left."""
    client = gateway.client()
    gateway.ask(client, 2, "subscribe", channel=CHANNEL)
    scope = scope_of(gateway.tenant)
    key = str(scope.key("ch", CHANNEL))
    direct.hset(key, mapping={"o": "dead", "d": 1 << 45})
    for value in range(publications):
        deliver.realtime.channels.publish(scope, CHANNEL, str(value).encode())
    direct.hset(key, mapping={"o": "", "d": 1})
    return client


@pytest.mark.parametrize("body", ["", "garbage", "[]", "{}", '{"tenant": "a", "channel": "b", "lane": "x"}'])
def test_what_fails_is_reported_and_keeps_no_other_from_its_turn(
    gateway: Gateway, deliver: ModuleType, queued: list[str], redis_direct: "redis.Redis", body: str
) -> None:
    client = waiting(gateway, deliver, redis_direct, 3)
    answer = deliver.handler(event(body, message(gateway), body), Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}, {"itemIdentifier": "2"}]}
    assert gateway.sent.offsets(client, CHANNEL) == [1, 2, 3]


def test_a_message_that_comes_twice_is_done_and_sends_nothing(
    gateway: Gateway, deliver: ModuleType, queued: list[str], redis_direct: "redis.Redis"
) -> None:
    client = waiting(gateway, deliver, redis_direct, 3)
    for _ in range(3):
        assert deliver.handler(event(message(gateway)), Context()) == {"batchItemFailures": []}
    assert gateway.sent.offsets(client, CHANNEL) == [1, 2, 3]


def test_a_lane_that_is_not_there_is_done(gateway: Gateway, deliver: ModuleType, queued: list[str]) -> None:
    assert deliver.handler(event(message(gateway, "chat:never")), Context()) == {"batchItemFailures": []}
    assert queued == []


def test_the_lane_is_handed_over_before_the_functions_time_is_up(
    gateway: Gateway, deliver: ModuleType, queued: list[str], redis_direct: "redis.Redis"
) -> None:
    """A batch is ninety kilobytes; each round serves one, and the next message goes on where it ended."""
    client = waiting(gateway, deliver, redis_direct, 1)
    scope = scope_of(gateway.tenant)
    key = str(scope.key("ch", CHANNEL))
    redis_direct.hset(key, mapping={"o": "dead", "d": 1 << 45})
    for _ in range(5):
        deliver.realtime.channels.publish(scope, CHANNEL, json.dumps("x" * 40_000).encode())
    redis_direct.hset(key, mapping={"o": "", "d": 1})
    queued.clear()
    seen: list[int] = []
    messages = [message(gateway)]
    while messages:
        deliver.handler(event(messages.pop()), Context(remaining_ms=8_000))
        assert len(gateway.sent.offsets(client, CHANNEL)) - len(seen) <= 3
        seen = gateway.sent.offsets(client, CHANNEL)
        assert redis_direct.hget(key, "o") == ""
        messages, queued[:] = list(queued), []
        assert [lane_of(one)[1] for one in messages] == ([Lane(CHANNEL)] if len(seen) < 6 else [])
    assert seen == [1, 2, 3, 4, 5, 6]
