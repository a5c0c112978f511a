"""`$default`: what each command answers."""

import json
import time
from dataclasses import replace

import pytest

from functions.message import rpc
from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
from local.redis.faults import Fault
from shared.realtime import namespaces
from tests.functions.websocket_events import Gateway, gateway_of
from tests.realtime.conftest import sent
from tests.support.connections import RecordingConnections

__all__ = ["sent"]
CHANNEL = "chat:lobby"
KEEP_ALIVE = '{"push":{"channel":"$ka"}}'


@pytest.fixture
def gateway(
    upstash: ThreadedUpstash, issuer: ThreadedIssuer, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> Gateway:
    made = gateway_of(upstash, issuer, sent, monkeypatch)
    monkeypatch.setattr("functions.message.commands._OVERTAKING_S", 0.1)
    return made


def subscribed(gateway: Gateway, user: str = "ann", *permissions: str, channel: str = CHANNEL) -> str:
    client = gateway.client(user, *permissions)
    assert "subscribe" in gateway.ask(client, 2, "subscribe", channel=channel)
    return client


@pytest.mark.parametrize("channel", ["", "with space", "ümlaut", "line\nbreak", "x" * 81, "tab\t", "\u007f"])
def test_a_bad_channel_name_is_102(gateway: Gateway, channel: str) -> None:
    client = gateway.client()
    for i, method in enumerate(("subscribe", "unsubscribe", "publish", "presence", "presence_stats", "history")):
        assert gateway.error(client, 2 + i, method, channel=channel, data=1) == 102
    assert gateway.ended(client) == []


def test_users_channels_are_the_servers(gateway: Gateway) -> None:
    client = gateway.client("ann")
    for channel in ("user:ann", "user:bob"):
        assert gateway.error(client, 2, "subscribe", channel=channel) == 103
        assert gateway.error(client, 3, "publish", channel=channel, data=1) == 103
    assert gateway.error(client, 4, "presence", channel="user:bob") == 103
    assert gateway.error(client, 5, "history", channel="user:bob", limit=1) == 103
    assert gateway.ask(client, 6, "unsubscribe", channel="user:ann") == {"id": 6, "unsubscribe": {}}
    assert gateway.ask(client, 7, "history", channel="user:ann")["history"]["offset"] == 0


@pytest.mark.parametrize("channel", ["session:", "file:", "user:"])
def test_a_things_channel_names_a_thing(gateway: Gateway, channel: str) -> None:
    assert gateway.error(gateway.client(), 2, "subscribe", channel=channel) == 102


@pytest.mark.parametrize("channel", ["session:nothing", "file:nothing"])
def test_things_are_subscribed_to_by_those_who_may_read_them(gateway: Gateway, channel: str) -> None:
    client = gateway.client()
    assert gateway.error(client, 2, "subscribe", channel=channel) == 103
    assert gateway.error(client, 3, "publish", channel=channel, data=1) == 103


def test_publishing_needs_the_subscription_and_the_permission(gateway: Gateway) -> None:
    stranger, reader = gateway.client("ann"), subscribed(gateway, "rea", "read")
    assert gateway.error(stranger, 2, "publish", channel=CHANNEL, data=1) == 103
    assert gateway.error(reader, 3, "publish", channel=CHANNEL, data=1) == 103
    writer = gateway.client("wri", "write")
    assert gateway.error(writer, 2, "subscribe", channel=CHANNEL) == 103


@pytest.mark.parametrize(("size", "expected"), [(28 * 1024, None), (28 * 1024 + 1, 107)])
def test_a_publication_may_have_28_kilobytes(gateway: Gateway, size: int, expected: int | None) -> None:
    client = subscribed(gateway)
    reply = gateway.ask(client, 3, "publish", channel=CHANNEL, data="x" * (size - 2))
    assert reply.get("error", {}).get("code") == expected


def test_a_publication_shows_who_sent_it(gateway: Gateway) -> None:
    client = subscribed(gateway)
    gateway.ask(client, 3, "publish", channel=CHANNEL, data=None)
    (push,) = gateway.sent.pushes(client, "pub")
    assert push == {"offset": 1, "data": None, "info": {"user": "ann", "client": client}}


def test_presence_is_for_subscribers(gateway: Gateway) -> None:
    client, stranger = subscribed(gateway), gateway.client("bob")
    found = gateway.ask(client, 3, "presence", channel=CHANNEL)["presence"]["presence"]
    assert found == {client: {"user": "ann", "client": client}}
    stats = gateway.ask(client, 4, "presence_stats", channel=CHANNEL)["presence_stats"]
    assert stats == {"num_clients": 1, "num_users": 1}
    assert gateway.error(stranger, 2, "presence", channel=CHANNEL) == 103
    assert gateway.error(stranger, 3, "presence_stats", channel=CHANNEL) == 103


def test_history_pages_and_refuses_other_epochs(gateway: Gateway) -> None:
    client = subscribed(gateway)
    for i in range(3):
        gateway.ask(client, 3 + i, "publish", channel=CHANNEL, data=i)
    top = gateway.ask(client, 10, "history", channel=CHANNEL)["history"]
    assert (top["offset"], top["publications"]) == (3, [])
    since = {"epoch": top["epoch"], "offset": 1}
    found = gateway.ask(client, 11, "history", channel=CHANNEL, limit=1, since=since)["history"]["publications"]
    assert [(one["offset"], one["data"]) for one in found] == [(2, 1)]
    elsewhere = {"epoch": "other", "offset": 1}
    assert gateway.error(client, 12, "history", channel=CHANNEL, limit=1, since=elsewhere) == 112
    assert gateway.error(gateway.client("bob"), 2, "history", channel=CHANNEL, limit=1) == 103


def test_a_namespace_says_what_is_off(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    off = {"off": {"history_size": 0, "presence": False}, "hidden": {"allow_history_for_subscriber": False}}
    for name, options in off.items():
        monkeypatch.setitem(namespaces.NAMESPACES, name, replace(namespaces._DEFAULT, **options))  # type: ignore[arg-type]
    client = subscribed(gateway, channel="off:a")
    assert gateway.error(client, 3, "history", channel="off:a", limit=1) == 108
    assert gateway.error(client, 4, "presence", channel="off:a") == 108
    gateway.ask(client, 5, "subscribe", channel="hidden:a")
    assert gateway.error(client, 6, "history", channel="hidden:a", limit=1) == 103
    reply = gateway.ask(client, 7, "subscribe", channel="off:b")["subscribe"]
    assert not reply.get("recoverable")


def test_the_hundred_and_first_channel_is_106(
    upstash: ThreadedUpstash, issuer: ThreadedIssuer, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = gateway_of(upstash, issuer, sent, monkeypatch, MAX_CHANNELS_PER_CONNECTION="2")
    client = small.client()
    for i in range(2):
        assert "subscribe" in small.ask(client, 2 + i, "subscribe", channel=f"chat:{i}")
    assert small.error(client, 5, "subscribe", channel="chat:9") == 106


def test_a_subscribe_overtaken_by_a_later_command_is_answered_and_changes_nothing(gateway: Gateway) -> None:
    client = gateway.client()
    gateway.ask(client, 3, "unsubscribe", channel=CHANNEL)
    assert gateway.send(client, {"id": 2, "subscribe": {"channel": CHANNEL}}) == [{"id": 2, "subscribe": {}}]
    assert gateway.error(client, 4, "presence", channel=CHANNEL) == 103


def test_rpc(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rpc.METHODS, "double", lambda socket, data: 2 * json.loads(bytes(data)))
    monkeypatch.setitem(rpc.METHODS, "fail", lambda socket, data: 1 / 0)
    client, powerless = gateway.client("ann", "execute"), gateway.client("bob", "read")
    assert gateway.ask(client, 2, "rpc", method="double", data=21) == {"id": 2, "rpc": {"data": 42}}
    assert gateway.error(client, 3, "rpc", method="unheard") == 104
    assert gateway.error(client, 4, "rpc") == 104
    failed = gateway.ask(client, 5, "rpc", method="fail")["error"]
    assert (failed["code"], failed["temporary"]) == (100, True)
    assert "division" not in failed["message"]
    assert gateway.error(powerless, 2, "rpc", method="double", data=1) == 103
    assert gateway.ask(powerless, 3, "rpc", method="ping") == {"id": 3, "rpc": {"data": {}}}


def test_ping_is_answered_and_send_is_ignored(gateway: Gateway) -> None:
    client = gateway.client()
    assert gateway.ask(client, 2, "ping") == {"id": 2, "ping": {}}
    assert gateway.send_text(client, '{"send":{"data":{"a":1}}}') == KEEP_ALIVE
    assert gateway.send_text(client, '{"id":9,"send":{}}') == KEEP_ALIVE


def test_ping_by_rpc_asks_nothing_of_redis(gateway: Gateway, upstash: ThreadedUpstash) -> None:
    client = gateway.client()
    with upstash.counting() as counted:
        gateway.ask(client, 2, "rpc", method="ping")
    assert counted.round_trips == 0


def test_refresh_goes_on_under_the_newer_token(gateway: Gateway) -> None:
    client = gateway.client("ann", "read")
    longer = gateway.token("ann", "read", "write", exp=int(time.time()) + 7000)
    shown = gateway.ask(client, 2, "refresh", token=longer)["refresh"]
    assert shown["client"] == client
    assert shown["ttl"] > 6000
    gateway.ask(client, 3, "subscribe", channel=CHANNEL)
    assert gateway.ask(client, 4, "publish", channel=CHANNEL, data=1) == {"id": 4, "publish": {}}
    assert gateway.error(client, 5, "refresh", token=gateway.expired_token()) == 109


@pytest.mark.parametrize("fault", [Fault.BAD_GATEWAY, Fault.DROP_AFTER])
def test_without_redis_every_command_is_answered_with_a_temporary_error(
    gateway: Gateway, upstash: ThreadedUpstash, fault: Fault
) -> None:
    client = subscribed(gateway)
    upstash.faults.inject(fault, times=None)
    try:
        for i, method in enumerate(("subscribe", "unsubscribe", "publish", "presence", "history")):
            (frame,) = gateway.send(client, {"id": 3 + i, method: {"channel": CHANNEL, "data": 1}})
            assert (frame["error"]["code"], frame["error"]["temporary"]) == (100, True)
        gateway.send_text(client, "garbage")
        unknown = "unknown-connection="
        (frame,) = gateway.send(unknown, {"id": 1, "connect": {"token": gateway.token()}})
        assert frame["error"]["code"] == 100
    finally:
        upstash.faults.clear()
    assert gateway.ended(client) == [3501]


def test_a_connect_that_could_not_be_told_its_end_is_no_crash(gateway: Gateway) -> None:
    client = gateway.client()
    gateway.sent.answers[client] = 500
    assert gateway.send_text(client, "garbage")
    assert gateway.sent.closed == [client]
