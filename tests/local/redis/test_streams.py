"""Publish, subscribe and MONITOR over server-sent events."""

import time

from local.redis import ThreadedUpstash
from tests.local.redis.rest_caller import RestCaller


def test_a_subscriber_receives_what_is_published(upstash: ThreadedUpstash, rest: RestCaller, key: str) -> None:
    listener = RestCaller(upstash)
    events = listener.stream(f"/subscribe/{key}")
    assert events.headers["Content-Type"].startswith("text/event-stream")
    assert events.readline() == f"data: subscribe,{key},1\n".encode()
    assert events.readline() == b"\n"
    assert rest.send(path=f"/publish/{key}/hello").json == {"result": 1}
    assert events.readline() == f"data: message,{key},hello\n".encode()
    events.close()
    listener.close()


def test_a_pattern_subscriber_is_told_the_channel(upstash: ThreadedUpstash, rest: RestCaller, key: str) -> None:
    listener = RestCaller(upstash)
    events = listener.stream(f"/psubscribe/{key}*")
    assert events.readline() == f"data: psubscribe,{key}*,1\n".encode()
    events.readline()
    rest.send(["PUBLISH", key + "-1", "two\nlines"])
    assert events.readline() == f"data: pmessage,{key}*,{key}-1,two\n".encode()
    assert events.readline() == b"data: lines\n"
    events.close()
    listener.close()


def test_monitor_shows_commands(upstash: ThreadedUpstash, rest: RestCaller, key: str) -> None:
    listener = RestCaller(upstash)
    events = listener.stream("/monitor")
    assert events.readline() == b'data: "OK"\n'
    rest.send(["GET", key])
    lines = iter(events.readline, b"")
    assert any(f'"GET" "{key}"'.encode() in line for line in lines)
    events.close()
    listener.close()


def test_a_subscription_ends_when_its_client_leaves(upstash: ThreadedUpstash, rest: RestCaller, key: str) -> None:
    listener = RestCaller(upstash)
    events = listener.stream(f"/subscribe/{key}")
    events.readline()
    events.close()
    listener.close()
    deadline = time.monotonic() + 10
    while rest.send(["PUBLISH", key, "anyone?"]).json["result"]:
        assert time.monotonic() < deadline, "the subscription outlived its client"
        time.sleep(0.02)
