"""Everything wrong that a client can send gets its documented answer, from the running stack, and breaks nothing."""

import json
import secrets

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.client import Client, Refused
from tests.support.stack import ALICE, AMIR, BOB, Stack


def status_of_handshake(stack: Stack, token: str, **options: str) -> int:
    query = "&".join(f"{name}={value}" for name, value in options.items())
    url = f"{stack.websocket}?{query}" if query else stack.websocket
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with pytest.raises(InvalidStatus) as refused, connect(url, additional_headers=headers, open_timeout=30):
        pass
    return refused.value.response.status_code


def test_a_wrong_token_is_401_at_the_handshake(stack: Stack) -> None:
    assert status_of_handshake(stack, "wrong") == 401
    good = stack.token(ALICE)
    assert status_of_handshake(stack, good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")) == 401


def test_another_tenant_is_403_at_the_handshake(stack: Stack) -> None:
    assert status_of_handshake(stack, stack.token(BOB), tenant="acme") == 403


def test_a_token_without_a_tenant_is_403(stack: Stack) -> None:
    token = stack.add_user(f"nobody-{secrets.token_hex(4)}@nowhere.test", {})
    assert status_of_handshake(stack, token) == 403
    with stack.api(token) as api:
        answer = api.get("/sessions")
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["code"] == "no-tenant"
    assert "README" in answer.json()["detail"]


def test_the_token_may_come_in_the_query(stack: Stack) -> None:
    with Client(f"{stack.websocket}?access_token={stack.token(AMIR)}") as client:
        assert client.connected["client"]


def test_the_token_may_come_as_a_subprotocol_and_is_not_echoed(stack: Stack) -> None:
    offered = ["centrifuge-json", f"bearer.{stack.token(AMIR)}"]
    with connect(stack.websocket, subprotocols=offered, open_timeout=30) as socket:  # type: ignore[arg-type]
        assert socket.subprotocol == "centrifuge-json"
        socket.send('{"id":1,"connect":{}}')
        assert '"connect"' in str(socket.recv(timeout=20))


def test_the_token_may_come_with_the_first_frame(stack: Stack) -> None:
    with Client(stack.websocket, stack.token(AMIR), header=False) as client:
        assert client.connected["expires"] is True
        assert client.connected["ttl"] > 3000
        (personal,) = client.connected["subs"]
        assert personal.startswith("user:")
        assert client.connected["subs"][personal]["recoverable"] is True


def test_connecting_without_any_token_is_answered_109(stack: Stack) -> None:
    with Client(stack.websocket, connect=False) as client, pytest.raises(Refused) as refused:
        client.call("connect")
    assert refused.value.code == 109


def test_a_token_of_somebody_else_in_connect_is_3500(stack: Stack) -> None:
    with Client(stack.websocket, stack.token(AMIR), connect=False) as client:
        client.send("connect", token=stack.token(ALICE))
        assert client.disconnect_push()["code"] == 3500
        client.wait_closed()


@pytest.mark.parametrize(
    "frame",
    [
        "garbage",
        "[]",
        '{"connect":{}}',
        '{"id":0,"connect":{}}',
        '{"id":1}',
        '{"id":1,"fly":{}}',
        '{"id":1,"subscribe":7}',
    ],
)
def test_what_is_no_command_ends_the_connection_with_3501(stack: Stack, frame: str) -> None:
    with Client(stack.websocket, stack.token(AMIR)) as client:
        client.socket.send(frame)
        assert client.disconnect_push()["code"] == 3501
        assert client.wait_closed().rcvd is not None


def test_a_command_before_connect_on_a_socket_without_identity_is_3501(stack: Stack) -> None:
    with Client(stack.websocket, connect=False) as client:
        client.send("subscribe", channel="chat:x")
        assert client.disconnect_push()["code"] == 3501


def test_a_binary_frame_closes_with_1003_and_a_large_one_with_1009(stack: Stack) -> None:
    token = stack.token(AMIR)
    with Client(stack.websocket, token) as client:
        client.socket.send(b"binary")
        closed = client.wait_closed()
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1003
    with Client(stack.websocket, token) as client:
        client.socket.send("x" * 40_000)
        closed = client.wait_closed()
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1009


def test_errors_of_commands_keep_the_connection(stack: Stack) -> None:
    with Client(stack.websocket, stack.token(AMIR)) as client:
        for code, method, params in (
            (102, "subscribe", {"channel": "with space"}),
            (102, "subscribe", {"channel": "x" * 81}),
            (102, "subscribe", {"channel": "ünicode"}),
            (102, "subscribe", {"channel": ""}),
            (103, "subscribe", {"channel": "user:somebody"}),
            (103, "subscribe", {"channel": "session:nope"}),
            (103, "subscribe", {"channel": "file:nope"}),
            (103, "publish", {"channel": "session:nope", "data": 1}),
            (103, "publish", {"channel": "chat:not-subscribed", "data": 1}),
            (103, "presence", {"channel": "chat:not-subscribed"}),
            (103, "history", {"channel": "chat:not-subscribed"}),
            (107, "publish", {"channel": "chat:x", "data": "x" * 29_000}),
            (104, "rpc", {"method": "nope"}),
        ):
            with pytest.raises(Refused) as refused:
                client.call(method, **params)
            assert refused.value.code == code, (method, params)
        client.socket.send('{"send":{"data":1}}')
        client.socket.send("{}")
        assert client.call("ping") == {}
        assert client.call("rpc", method="ping") == {"data": {}}


def test_many_commands_in_one_frame_are_answered_each(stack: Stack) -> None:
    """As centrifuge-js sends them when it reconnects."""
    channel = f"chat:{secrets.token_hex(4)}"
    commands = [
        {"id": 1, "connect": {"token": stack.token(AMIR)}},
        {"id": 2, "subscribe": {"channel": channel}},
        {"id": 3, "subscribe": {"channel": f"{channel}-2"}},
        {"id": 4, "publish": {"channel": channel, "data": "first"}},
        {"id": 5, "ping": {}},
    ]
    with Client(stack.websocket, connect=False) as client:
        client.socket.send("\n".join(map(json.dumps, commands)))
        assert "connect" in client.wait(lambda frame: frame.get("id") == 1)
        for command_id, method in ((2, "subscribe"), (3, "subscribe"), (4, "publish"), (5, "ping")):
            assert method in client.wait(lambda frame: frame.get("id") == command_id)  # noqa: B023
        assert [push["data"] for push in client.wait_for(channel, 1)] == ["first"]


def problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    shown = answer.json()
    assert shown["status"] == status
    assert shown["code"] == code
    assert {"type", "title", "instance"} <= set(shown)


def test_http_refusals_are_problem_documents(stack: Stack) -> None:
    merge = {"content-type": "application/merge-patch+json"}
    with stack.api(stack.token(ALICE)) as api:
        two_gb = {"name": "big.csv", "content_type": "text/csv", "size": 2 * 1024**3}
        problem(api.post("/files", json=two_gb), 413, "too-large")
        as_json = {"content-type": "application/json"}
        problem(api.post("/sessions", content=b"{not json", headers=as_json), 422, "invalid")
        problem(api.post("/sessions", content=b"[1]", headers=as_json), 422, "invalid")
        problem(api.post("/sessions", content=b"a=b", headers={"content-type": "text/plain"}), 415, "unsupported-type")
        problem(api.get("/sessions/nope"), 404, "not-found")
        problem(api.get("/files/nope"), 404, "not-found")
        session = api.post("/sessions", json={"data": {}, "ttl_seconds": 60})
        path = session.headers["location"]
        problem(api.patch(path, json={"a": 1}, headers={**merge, "if-match": '"9"'}), 412, "precondition-failed")
        problem(api.patch(path, json={"a": "x" * 70_000}, headers=merge), 413, "too-large")
        problem(api.put(path, json={}), 405, "method-not-allowed")
        assert api.get(path, headers={"if-none-match": session.headers["etag"]}).status_code == 304
    problem(httpx.get(f"{stack.http}/sessions"), 401, "unauthorized")
    problem(httpx.get(f"{stack.http}/sessions", headers={"authorization": "Bearer wrong"}), 401, "invalid-token")
    reader = stack.add_user(f"reader-{secrets.token_hex(4)}@acme.test", {"tenant_id": "acme", "permissions": ["read"]})
    with stack.api(reader) as api:
        problem(api.post("/sessions", json={"data": {}}), 403, "permission-denied")
    assert httpx.get(f"{stack.http}/nope").status_code == 404


def test_browsers_of_any_origin_may_ask(stack: Stack) -> None:
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "authorization,if-match,content-type",
    }
    allowed = httpx.options(f"{stack.http}/sessions/x", headers=asked)
    assert allowed.status_code in (200, 204)
    assert allowed.headers["access-control-allow-origin"] in ("*", "https://app.example")
    assert (
        "PATCH" in allowed.headers["access-control-allow-methods"]
        or allowed.headers["access-control-allow-methods"] == "*"
    )
