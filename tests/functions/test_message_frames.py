"""`$default`: frames of any shape, and whose they are."""

import json
import time
from typing import Any

import pytest
import redis

from functions.message import rpc
from local.issuer import ThreadedIssuer
from local.redis import ThreadedUpstash
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


@pytest.mark.parametrize("body", ["", "{}", "{}\n{}", "\n", "  "])
def test_an_empty_frame_is_ignored(gateway: Gateway, body: str) -> None:
    client = gateway.client()
    assert gateway.send_text(client, body) == KEEP_ALIVE
    assert gateway.ended(client) == []


@pytest.mark.parametrize(
    "body",
    [
        "hello",
        "[]",
        "null",
        "5",
        '{"id":1',
        '{"id":7}',
        '{"ping":{}}',
        '{"id":0,"ping":{}}',
        '{"id":7,"unheard":{}}',
        '{"id":7,"ping":{},"send":{}}',
        '{"id":7,"subscribe":{}}',
        '{"id":7,"subscribe":[]}',
        '{"id":7,"publish":{"channel":"a","data":"\ud800"}}',
        '{"id":7,"publish":{"channel":"a","data":' + "[" * 15_000 + "]" * 15_000 + "}}",
        "\x00" * 100,
        "x" * 32_768,
    ],
    ids=lambda body: body[:40].encode("unicode_escape").decode(),
)
def test_garbage_ends_the_connection(gateway: Gateway, redis_direct: "redis.Redis", body: str) -> None:
    client = gateway.client()
    gateway.send_text(client, body)
    assert gateway.ended(client) == [3501]
    assert redis_direct.zscore(f"{{t:{gateway.tenant}}}:leases", client) is None


def test_garbage_on_a_socket_without_identity_ends_it(gateway: Gateway) -> None:
    socket = gateway.open()
    gateway.send_text(socket, "hello")
    assert gateway.ended(socket) == [3501]


def test_good_commands_before_a_bad_one_are_not_run(gateway: Gateway) -> None:
    client = subscribed(gateway)
    publish = {"id": 3, "publish": {"channel": CHANNEL, "data": 1}}
    gateway.send_text(client, json.dumps(publish) + "\nhello")
    assert gateway.ended(client) == [3501]
    assert gateway.sent.offsets(client, CHANNEL) == []


def test_all_that_an_sdk_sends_in_its_first_frame_is_answered(gateway: Gateway) -> None:
    socket = gateway.open()
    direct = gateway.send(
        socket,
        {"id": 1, "connect": {"token": gateway.token(), "name": "js"}},
        {"id": 2, "subscribe": {"channel": "chat:a"}},
        {"id": 3, "subscribe": {"channel": "chat:b", "recover": True, "epoch": "lost", "offset": 4}},
        {"id": 4, "publish": {"channel": "chat:a", "data": {"n": 1}}},
        {"id": 5, "rpc": {"method": "ping"}},
    )
    assert direct == [{"id": 4, "publish": {}}, {"id": 5, "rpc": {"data": {}}}]
    posted = [frame["id"] for frame in gateway.sent.frames(socket) if "id" in frame]
    assert posted == [1, 2, 3]
    assert [push["data"] for push in gateway.sent.pushes(socket, "pub")] == [{"n": 1}]


@pytest.mark.parametrize("handshake", ["with a token", "without"])
def test_what_an_app_calls_itself_is_kept_in_part(
    gateway: Gateway, redis_direct: "redis.Redis", handshake: str
) -> None:
    socket = gateway.open(gateway.token("ann") if handshake == "with a token" else "")
    gateway.ask(socket, 1, "connect", token=gateway.token("ann"), name="x" * 100, version="1\n2")
    record = str(redis_direct.hget(f"{{t:{gateway.tenant}}}:user:ann", f"c:{socket}")).split("\n")
    assert json.loads(record[8]) == ["x" * 64, "1\n2"]


def test_forty_kilobytes_of_commands_are_all_answered(gateway: Gateway) -> None:
    client = gateway.client()
    commands = [{"id": i, "rpc": {"method": "ping", "data": "x" * 100}} for i in range(2, 302)]
    assert [frame["id"] for frame in gateway.send(client, *commands)] == list(range(2, 302))


def test_replies_too_long_for_one_frame_come_in_several(gateway: Gateway) -> None:
    client = subscribed(gateway)
    for i in range(4):
        assert gateway.ask(client, 3 + i, "publish", channel=CHANNEL, data="x" * 27_000) == {"id": 3 + i, "publish": {}}
    gateway.sent.forget()
    ids = list(range(10, 20))
    direct = gateway.send(client, *({"id": i, "history": {"channel": CHANNEL, "limit": -1}} for i in ids))
    frames = gateway.sent.frames(client) + direct
    assert [frame["id"] for frame in frames] == ids
    for frame in frames:
        offsets = [publication["offset"] for publication in frame["history"]["publications"]]
        assert offsets == [1, 2, 3]
    assert max(len(body.encode()) for body in gateway.sent._bodies[client]) <= 131_072


def test_history_of_letters_that_take_three_bytes_fits_a_frame(gateway: Gateway) -> None:
    client = subscribed(gateway)
    for i in range(6):
        gateway.ask(client, 3 + i, "publish", channel=CHANNEL, data="漢" * 4_000)
    # As a client sends it: not escaped.
    text = json.dumps({"id": 20, "publish": {"channel": CHANNEL, "data": "漢" * 9_000}}, ensure_ascii=False)
    for _ in range(5):
        gateway.send_text(client, text)
    (reply,) = gateway.send(client, {"id": 30, "history": {"channel": CHANNEL, "limit": -1}})
    assert reply["history"]["publications"]


# Identity.


def test_a_command_before_any_identity_ends_the_socket(gateway: Gateway) -> None:
    for method in ("subscribe", "unsubscribe", "publish", "presence", "presence_stats", "history"):
        socket = gateway.open()
        gateway.send(socket, {"id": 1, method: {"channel": CHANNEL, "data": 1}})
        assert gateway.ended(socket) == [3501]
    for method in ("ping", "rpc", "refresh", "sub_refresh"):
        socket = gateway.open()
        gateway.send(socket, {"id": 1, method: {"token": "x"}})
        assert gateway.ended(socket) == [3501]


def test_an_expired_handshake_is_told_to_fetch_a_token_and_connects_with_it(gateway: Gateway) -> None:
    socket = gateway.open(gateway.expired_token())
    assert gateway.error(socket, 1, "connect") == 109
    assert gateway.error(socket, 2, "connect", token=gateway.expired_token()) == 109
    connected = gateway.ask(socket, 3, "connect", token=gateway.token("ann"))["connect"]
    assert list(connected["subs"]) == ["user:ann"]
    assert connected["expires"] is True
    assert 3500 < connected["ttl"] <= 3600
    assert gateway.ended(socket) == []


def test_after_a_refused_connect_the_rest_of_the_frame_is_dropped(gateway: Gateway) -> None:
    socket = gateway.open()
    direct = gateway.send(socket, {"id": 1, "connect": {}}, {"id": 2, "subscribe": {"channel": CHANNEL}})
    assert [(frame["id"], frame["error"]["code"]) for frame in direct] == [(1, 109)]
    assert gateway.ended(socket) == []


def test_frames_that_overtake_their_connect_are_asked_to_come_again(gateway: Gateway) -> None:
    socket = gateway.open(gateway.token("ann", "admin"))
    commands = [{"id": 2 + i, "subscribe": {"channel": f"chat:{i}"}} for i in range(20)]
    replies = gateway.send(socket, *commands, {"id": 30, "presence": {"channel": "chat:1"}})
    assert [frame["id"] for frame in replies] == [*range(2, 22), 30]
    assert {(frame["error"]["code"], frame["error"]["temporary"]) for frame in replies} == {(100, True)}
    assert "connect" in gateway.ask(socket, 40, "connect")


def test_connect_after_a_handshake_needs_no_token(gateway: Gateway) -> None:
    socket = gateway.open(gateway.token("ann"))
    assert list(gateway.ask(socket, 1, "connect")["connect"]["subs"]) == ["user:ann"]


def test_a_newer_token_in_connect_extends_the_handshakes(gateway: Gateway) -> None:
    now = int(time.time())
    socket = gateway.open(gateway.token("ann", exp=now + 100))
    connected = gateway.ask(socket, 1, "connect", token=gateway.token("ann", exp=now + 5000))["connect"]
    assert connected["ttl"] > 4000


def test_a_second_connect_ends_the_connection(gateway: Gateway) -> None:
    client = gateway.client()
    gateway.send(client, {"id": 2, "connect": {}})
    assert gateway.ended(client) == [3501]


def test_what_was_done_before_the_end_is_answered_before_it(gateway: Gateway) -> None:
    client = subscribed(gateway)
    gateway.send(client, {"id": 3, "publish": {"channel": CHANNEL, "data": 1}}, {"id": 4, "connect": {}})
    frames = gateway.sent.frames(client)
    assert frames[-2:] == [{"id": 3, "publish": {}}, {"push": {"disconnect": {"code": 3501, "reason": "bad request"}}}]


@pytest.mark.parametrize("command", ["connect", "refresh"])
def test_a_token_of_somebody_else_or_another_tenant_ends_the_connection(gateway: Gateway, command: str) -> None:
    elsewhere = {"tenant_id": "globex", "permissions": ["read"]}
    tokens = {
        "another user": gateway.token("bob"),
        "another tenant": gateway.token("ann", app_metadata=elsewhere),
        "no tenant": gateway.token("ann", app_metadata={}),
        "garbage": "nonsense",
    }
    for why, token in tokens.items():
        socket = gateway.open(gateway.token("ann"))
        if command == "refresh":
            gateway.ask(socket, 1, "connect")
        gateway.send(socket, {"id": 2, command: {"token": token}})
        assert gateway.ended(socket) == [3500], why


def test_a_bad_token_in_the_first_frame_ends_the_socket(gateway: Gateway) -> None:
    socket = gateway.open()
    gateway.send(socket, {"id": 1, "connect": {"token": "nonsense"}})
    assert gateway.ended(socket) == [3500]


def test_a_first_frame_without_tenant_or_permission_is_denied(gateway: Gateway) -> None:
    for metadata in ({}, {"tenant_id": gateway.tenant, "permissions": []}):
        assert gateway.error(gateway.open(), 1, "connect", token=gateway.token(app_metadata=metadata)) == 103


def test_a_user_of_several_tenants_chooses_in_the_first_frame(gateway: Gateway) -> None:
    token = gateway.token(app_metadata={"tenants": {gateway.tenant: ["read"], "other": ["read"]}})
    assert gateway.error(gateway.open(), 1, "connect", token=token) == 103
    assert gateway.error(gateway.open(), 1, "connect", token=token, data={"tenant": "third"}) == 103
    assert "connect" in gateway.ask(gateway.open(), 1, "connect", token=token, data={"tenant": gateway.tenant})


@pytest.mark.parametrize("place", ["query", "header"])
def test_a_user_of_several_tenants_chooses_with_the_handshake_too(gateway: Gateway, place: str) -> None:
    def opened(tenant: str) -> str:
        places: dict[str, Any] = {"query": {"tenant": tenant}, "header": {"headers": {"X-Tenant-Id": tenant}}}
        return gateway.handshake(**places[place])[0]

    token = gateway.token(app_metadata={"tenants": {gateway.tenant: ["read"], "other": ["read"]}})
    assert "connect" in gateway.ask(opened(gateway.tenant), 1, "connect", token=token)
    for no_member in ("third", "no tenant id"):
        assert gateway.error(opened(no_member), 1, "connect", token=token) == 103
    other = opened("other")
    assert gateway.error(other, 1, "connect", token=token, data={"tenant": "third"}) == 103
    assert "connect" in gateway.ask(other, 2, "connect", token=token, data={"tenant": gateway.tenant})


@pytest.mark.parametrize("data", [None, 5, [], "x", {"tenant": 5}, {"tenant": None}])
def test_connect_data_of_any_kind_is_taken(gateway: Gateway, data: Any) -> None:
    assert "connect" in gateway.ask(gateway.open(), 1, "connect", token=gateway.token(), data=data)


def test_caps_are_told_with_3504(
    upstash: ThreadedUpstash, issuer: ThreadedIssuer, sent: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = gateway_of(upstash, issuer, sent, monkeypatch, MAX_CONNECTIONS_PER_USER="1")
    small.client()
    late = small.open()
    small.send(late, {"id": 1, "connect": {"token": small.token()}})
    assert small.ended(late) == [3504]


def test_a_revoked_connection_ends_with_its_next_frame(gateway: Gateway, redis_direct: "redis.Redis") -> None:
    client = gateway.client()
    redis_direct.hset(f"{{t:{gateway.tenant}}}:user:ann", "revoked_before", 1 << 40)
    gateway.send(client, {"id": 2, "subscribe": {"channel": CHANNEL}})
    assert gateway.ended(client) == [3500]


def expire(gateway: Gateway, direct: "redis.Redis", client: str, user: str = "ann") -> None:
    key = f"{{t:{gateway.tenant}}}:user:{user}"
    record = str(direct.hget(key, f"c:{client}")).split("\n")
    direct.hset(key, f"c:{client}", "\n".join([*record[:2], str(int(time.time()) - 30), *record[3:]]))


@pytest.mark.parametrize("method", ["subscribe", "unsubscribe", "publish", "presence", "history", "rpc"])
def test_an_expired_connection_ends_with_its_next_frame(
    gateway: Gateway, redis_direct: "redis.Redis", monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setitem(rpc.METHODS, "act", lambda socket, data: pytest.fail("it has no right to"))
    client = subscribed(gateway, "ann", "read", "write", "execute")
    expire(gateway, redis_direct, client)
    gateway.send(client, {"id": 3, method: {"channel": CHANNEL, "data": 1, "method": "act"}})
    assert gateway.ended(client) == [3005]


def test_a_kicked_connection_is_told_to_reconnect(gateway: Gateway) -> None:
    client = gateway.client()
    gateway.leave(client)
    gateway.send(client, {"id": 2, "subscribe": {"channel": CHANNEL}})
    assert gateway.ended(client) == [3001]
