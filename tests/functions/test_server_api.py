"""`/api/*` with real keys and tokens and a real Redis, called as API Gateway calls it."""

import base64
from typing import Any

import pytest
import redis

from functions.channel.routes import router
from local.issuer import ThreadedIssuer
from shared.auth.identify import Authenticator
from shared.auth.identity import Permission
from shared.auth.permissions import PERMISSIONS
from shared.auth.revocations import Revocations
from shared.http.app import create_app
from shared.http.lambda_handler import lambda_handler
from shared.realtime.server_api import ServerApi
from shared.settings import Settings
from tests.functions.backend import Backend, backend_of
from tests.functions.http_events import FunctionClient
from tests.realtime.conftest import World, sent, world

__all__ = ["sent", "world"]
KB = 1024


@pytest.fixture
def backend(world: World, issuer: ThreadedIssuer) -> Backend:
    return backend_of(world, issuer)


# --- who may


def test_a_bad_credential_alone_is_answered_401(backend: Backend) -> None:
    good = backend.key()["x-api-key"]
    assert backend.post("info", headers={"authorization": f"apikey {good}"}).status_code == 200
    bad = [{"accept": "*/*"}, {"x-api-key": good + "0"}, {"x-api-key": "nonsense"}, {"authorization": "apikey "}]
    bad += [{"authorization": "Bearer x.y.z"}, {"authorization": f"Bearer {good}"}, backend.token("admin", exp=1)]
    for headers in bad:
        answer = backend.post("info", headers=headers)
        assert answer.status_code == 401, headers
        assert answer.headers["content-type"] == "application/problem+json"


def test_an_admins_token_is_good_where_keys_go(backend: Backend) -> None:
    _, _, token = backend.token("admin")["authorization"].partition(" ")
    _, _, powerless = backend.token("write")["authorization"].partition(" ")
    for place in ("x-api-key: {}", "authorization: apikey {}"):
        name, _, value = place.partition(": ")
        assert backend.result("info", headers={name: value.format(token)})["nodes"]
        assert backend.error("info", headers={name: value.format(powerless)}) == 103
        assert backend.post("info", headers={name: value.format(token[:-4] + "AAAA")}).status_code == 401


def test_a_caller_without_tenant_or_with_an_unreachable_issuer_gets_an_answer(backend: Backend) -> None:
    assert backend.error("info", headers=backend.token("admin", app_metadata={})) == 103
    with ThreadedIssuer() as gone:
        token = gone.mint()
    unreachable = Backend(backend.world, backend.client, backend.keys, gone)
    app = create_app(
        "channels", [router], authenticator=Authenticator(Settings(supabase_url=gone.url)), server_api=None
    )
    unreachable.client = FunctionClient(lambda_handler(app))
    assert unreachable.error("info", headers={"authorization": f"Bearer {token}"}) == 100


def test_a_revoked_token_is_a_bad_credential(backend: Backend) -> None:
    headers = backend.token("admin", sub="ann", session_id="s1")
    backend.result("info", headers=headers)
    Revocations(backend.world.realtime.redis, backend.world.scope).revoke_session("ann", "s1")
    assert backend.post("info", headers=headers).status_code == 401
    assert backend.error("publish", headers=backend.token("admin", sub="ann", session_id="s2")) == 107


def test_a_key_does_not_act_for_the_tenant_of_a_header(backend: Backend) -> None:
    key = backend.key()
    assert backend.result("info", headers={**key, "x-tenant-id": backend.world.scope.label})
    assert backend.error("info", headers={**key, "x-tenant-id": "globex"}) == 103


IMPLEMENTED = {
    "publish": {"channel": "a", "data": 1},
    "broadcast": {"channels": ["a"], "data": 1},
    "presence": {"channel": "a"},
    "presence_stats": {"channel": "a"},
    "history": {"channel": "a"},
    "history_remove": {"channel": "a"},
    "refresh": {"user": "u", "expired": True},
    "disconnect": {"user": "u"},
    "info": {},
    "connections": {"user": "u"},
    "block_user": {"user": "u"},
    "unblock_user": {"user": "u"},
    "invalidate_user_tokens": {"user": "u"},
}


@pytest.mark.parametrize("method", IMPLEMENTED)
def test_a_method_needs_its_permission_and_of_users_admin(backend: Backend, method: str) -> None:
    request, needed = IMPLEMENTED[method], PERMISSIONS[f"api.{method}"]
    assert backend.result(method, request, backend.key(needed)) is not None
    assert backend.result(method, request, backend.token("admin")) is not None
    others = [permission for permission in Permission if permission not in (needed, Permission.ADMIN)]
    assert backend.error(method, request, backend.key(*others)) == 103
    assert backend.error(method, request, backend.token("read", "write", "execute")) == 103


@pytest.mark.parametrize("method", ["nope", "update_user_status", "__class__", "Publish", "answer"])
def test_a_method_that_is_not_there_is_104(backend: Backend, method: str) -> None:
    assert backend.error(method) == 104


# --- bad requests


BAD_BODIES = [b"{", b"[]", b"null", b'"x"', b'{"channel":"a","data":"\xff"}', b'{"channel":"a","data":}', b"[" * 9000]
BAD_BODIES += [
    b'{"channel":"a","data":' + b"[" * 9000 + b"]" * 9000 + b"}",
    b'{"channel":7,"commands":7,"data":1}',
    b"\xef\xbb\xbf{}",
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
@pytest.mark.parametrize("method", ["publish", "batch"])
def test_a_body_that_is_no_request_is_107(backend: Backend, method: str, body: bytes) -> None:
    assert backend.error(method, body) == 107


def test_what_asks_nothing_is_json_all_the_same(backend: Backend) -> None:
    assert {backend.error("info", body) for body in (b"{", b"[]", b"null")} == {107}
    assert backend.result("info") == backend.result("info", {"more": 1})


BAD_REQUESTS: dict[str, tuple[str, dict[str, Any], int]] = {
    "no channel": ("publish", {"data": 1}, 107),
    "empty channel": ("publish", {"channel": "", "data": 1}, 107),
    "channel with a space": ("publish", {"channel": "a b", "data": 1}, 102),
    "channel of 81 bytes": ("publish", {"channel": "a" * 81, "data": 1}, 102),
    "channel beyond ASCII": ("history", {"channel": "ä"}, 102),
    "no data": ("publish", {"channel": "a"}, 107),
    "data over 64 KB": ("publish", {"channel": "a", "data": "x" * 64 * KB}, 107),
    "tags over 4 KB": ("publish", {"channel": "a", "data": "x" * 63 * KB, "tags": {"t": "x" * 6 * KB}}, 107),
    "tags that are no text": ("publish", {"channel": "a", "data": 1, "tags": {"t": 1}}, 107),
    "b64data that is not base64": ("publish", {"channel": "a", "b64data": "???"}, 107),
    "b64data that is not JSON": ("publish", {"channel": "a", "b64data": "AAEC"}, 107),
    "idempotency key too long": ("publish", {"channel": "a", "data": 1, "idempotency_key": "k" * 129}, 107),
    "no channels": ("broadcast", {"channels": [], "data": 1}, 107),
    "too many channels": ("broadcast", {"channels": ["a"] * 1001, "data": 1}, 107),
    "broadcast without data": ("broadcast", {"channels": ["a"]}, 107),
    "negative offset": ("history", {"channel": "a", "since": {"offset": -1, "epoch": "x"}}, 107),
    "offset beyond numbers": ("history", {"channel": "a", "since": {"offset": 2**64, "epoch": "x"}}, 107),
    "no such position": ("history", {"channel": "a", "limit": 1, "since": {"offset": 1, "epoch": "x"}}, 112),
    "presence without channel": ("presence", {}, 107),
    "no user": ("disconnect", {}, 107),
    "code below 3000": ("disconnect", {"user": "u", "disconnect": {"code": 2999}}, 107),
    "code above 4999": ("disconnect", {"user": "u", "disconnect": {"code": 5000}}, 107),
    "reason too long": ("disconnect", {"user": "u", "disconnect": {"code": 3000, "reason": "x" * 124}}, 107),
    "filter expression": ("connections", {"user": "u", "expression": "1 == 1"}, 108),
    "tokens of a channel": ("invalidate_user_tokens", {"user": "u", "channel": "a"}, 108),
    "refresh until when": ("refresh", {"user": "u"}, 107),
    "block until before all times": ("block_user", {"user": "u", "expire_at": -1}, 107),
}


@pytest.mark.parametrize("kind", BAD_REQUESTS)
def test_a_bad_request_gets_its_code(backend: Backend, kind: str) -> None:
    method, request, code = BAD_REQUESTS[kind]
    assert backend.error(method, request) == code


def test_only_post_is_understood(backend: Backend) -> None:
    assert backend.client.get("/api/publish", headers=backend.key()).status_code == 405
    assert backend.client.post("/api", headers=backend.key()).status_code == 404


# --- publish and broadcast


def test_a_publication_reaches_its_subscribers_and_says_so(backend: Backend) -> None:
    world = backend.world
    readers = [world.client(f"u{i}") for i in range(3)]
    for reader in readers:
        world.subscribe(reader, "chat:a")
    published = backend.result("publish", {"channel": "chat:a", "data": {"n": 1}, "tags": {"k": "v"}})
    assert published["offset"] == 1
    assert published["delivery"] == {"delivered": 3, "gone": 0, "throttled": 0, "deferred": 0}
    for reader in readers:
        (pushed,) = world.sent.pushes(reader.connection, "pub")
        assert pushed == {"offset": 1, "data": {"n": 1}, "tags": {"k": "v"}}


@pytest.mark.parametrize("data", [None, 0, "", "ünï ☃ \U0001f600", [], {"a": [1, 2.5, None, True]}, "x" * 60 * KB])
def test_data_arrives_as_it_was_sent(backend: Backend, data: Any) -> None:
    backend.result("publish", {"channel": "a", "data": data})
    assert backend.result("history", {"channel": "a", "limit": 1})["publications"] == [{"offset": 1, "data": data}]


def test_numbers_are_not_touched(backend: Backend) -> None:
    backend.result("publish", b'{"channel":"a","data":{"big":12345678901234567890123, "exact":1.10}}')
    assert '{"big":12345678901234567890123,"exact":1.10}' in backend.post("history", {"channel": "a", "limit": 1}).text


def test_b64data_holds_json(backend: Backend) -> None:
    inside = base64.b64encode(b'{"n": 1}').decode()
    backend.result("publish", {"channel": "a", "b64data": inside})
    assert backend.result("history", {"channel": "a", "limit": 1})["publications"][0]["data"] == {"n": 1}


def test_nulls_are_what_was_left_out(backend: Backend) -> None:
    empty = {"tags": None, "skip_history": None, "idempotency_key": None, "b64data": None}
    assert backend.result("publish", {"channel": "a", "data": 1, **empty})["offset"] == 1
    assert backend.result("history", {"channel": "a", "limit": None, "since": None, "reverse": None})["offset"] == 1


def test_an_idempotent_publication_is_made_once_a_channel(backend: Backend) -> None:
    request = {"data": 1, "idempotency_key": "k:1"}
    first, again, other = (backend.result("publish", {"channel": name, **request}) for name in ("a", "a", "b"))
    assert (first["offset"], again["offset"]) == (1, 1)
    assert (first["epoch"], other["offset"]) == (again["epoch"], 1)


def test_what_skips_history_is_delivered_and_not_kept(backend: Backend) -> None:
    reader = backend.world.client()
    backend.world.subscribe(reader, "chat:a")
    backend.result("publish", {"channel": "chat:a", "data": "fleeting", "skip_history": True})
    assert [pub["data"] for pub in backend.world.sent.pushes(reader.connection, "pub")] == ["fleeting"]
    assert backend.result("history", {"channel": "chat:a", "limit": -1})["publications"] == []


def test_a_users_channel_takes_publications_of_the_server(backend: Backend) -> None:
    ann = backend.world.client("ann")
    backend.result("publish", {"channel": "user:ann", "data": "hello"})
    assert [pub["data"] for pub in backend.world.sent.pushes(ann.connection, "pub")] == ["hello"]


def test_a_broadcast_answers_for_each_channel_in_order(backend: Backend) -> None:
    responses = backend.result("broadcast", {"channels": ["a", "", "b c", "a"], "data": 1})["responses"]
    assert [response.get("error", {}).get("code") for response in responses] == [None, 107, 102, None]
    assert [responses[i]["result"]["offset"] for i in (0, 3)] == [1, 2]
    assert responses[0]["result"]["delivery"]["delivered"] == 0


def test_what_no_time_is_left_for_may_be_sent_again(backend: Backend) -> None:
    ticks, world = iter([0.0, 1.0, 19.9, 21.0, 22.0]), backend.world.realtime
    api = ServerApi(world.channels, world.roster, world.session_ends, world.redis, lambda: next(ticks))
    caller = backend.keys.identify(backend.key()["x-api-key"])
    answer = api.answer(caller, "broadcast", b'{"channels":["a","b","c","d"],"data":1}')
    assert [list(one) for one in answer["result"]["responses"]] == [["result"], ["result"], ["error"], ["error"]]
    assert answer["result"]["responses"][3]["error"]["code"] == 100


# --- presence and history


def test_presence_tells_clients_and_users(backend: Backend) -> None:
    world = backend.world
    first, second, other = world.client("ann"), world.client("ann"), world.client("bob")
    for client in (first, second, other):
        world.subscribe(client, "chat:a")
    presence = backend.result("presence", {"channel": "chat:a"})["presence"]
    assert presence == {
        client.connection: {"user": client.user, "client": client.connection} for client in (first, second, other)
    }
    assert backend.result("presence_stats", {"channel": "chat:a"}) == {"num_clients": 3, "num_users": 2}
    assert backend.result("presence", {"channel": "chat:empty"}) == {"presence": {}}
    assert backend.result("presence_stats", {"channel": "chat:empty"}) == {"num_clients": 0, "num_users": 0}


def test_history_goes_both_ways_from_a_position(backend: Backend) -> None:
    for n in range(1, 6):
        epoch = backend.result("publish", {"channel": "a", "data": n})["epoch"]

    def offsets(**request: Any) -> list[int]:
        found = backend.result("history", {"channel": "a", **request})
        assert (found["offset"], found["epoch"]) == (5, epoch)
        return [one["offset"] for one in found["publications"]]

    since = {"offset": 3, "epoch": epoch}
    assert offsets() == []
    assert offsets(limit=2) == [1, 2]
    assert offsets(limit=-1) == [1, 2, 3, 4, 5]
    assert offsets(limit=2, reverse=True) == [5, 4]
    assert offsets(limit=-1, since=since) == [4, 5]
    assert offsets(limit=-1, since=since, reverse=True) == [2, 1]


def test_history_stops_where_an_answer_would_not_fit(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.realtime.server_api.MAX_HISTORY_BYTES", 100 * KB)
    for _ in range(4):
        backend.result("publish", {"channel": "a", "data": "x" * 40 * KB})
    first = backend.result("history", {"channel": "a", "limit": -1})
    assert [one["offset"] for one in first["publications"]] == [1, 2]
    since = {"offset": 2, "epoch": first["epoch"]}
    rest = backend.result("history", {"channel": "a", "limit": -1, "since": since})
    assert [one["offset"] for one in rest["publications"]] == [3, 4]


def test_removed_history_is_gone_and_the_channel_goes_on(backend: Backend) -> None:
    world = backend.world
    reader = world.client("reader")
    world.subscribe(reader, "chat:a")
    for n in (1, 2, 3):
        epoch = backend.result("publish", {"channel": "chat:a", "data": n})["epoch"]
    backend.result("history_remove", {"channel": "chat:a"})
    found = backend.result("history", {"channel": "chat:a", "limit": -1})
    assert found == {"publications": [], "offset": 3, "epoch": epoch}
    backend.result("publish", {"channel": "chat:a", "data": 4})
    assert world.sent.offsets(reader.connection, "chat:a") == [1, 2, 3, 4]
    assert [one["offset"] for one in backend.result("history", {"channel": "chat:a", "limit": -1})["publications"]] == [
        4
    ]
    assert world.sent.pushes(reader.connection, "unsubscribe") == []


def test_what_was_removed_is_not_recovered(backend: Backend) -> None:
    world = backend.world
    epoch = backend.result("publish", {"channel": "chat:a", "data": 1})["epoch"]
    backend.result("publish", {"channel": "chat:a", "data": 2})
    backend.result("history_remove", {"channel": "chat:a"})
    for offset, is_recovered in ((0, False), (1, False), (2, True)):
        client = world.client(f"at {offset}".replace(" ", ""))
        world.subscribe(client, "chat:a", recover=True, offset=offset, epoch=epoch)
        (reply,) = [frame["subscribe"] for frame in world.sent.frames(client.connection) if "subscribe" in frame]
        assert reply.get("recovered", False) is is_recovered
        assert reply.get("publications", []) == []


def test_removing_the_history_of_a_silent_channel_is_no_error(backend: Backend, redis_direct: "redis.Redis") -> None:
    assert backend.result("history_remove", {"channel": "chat:silent"}) == {}
    assert not redis_direct.exists(str(backend.world.scope.key("ch", "chat:silent")))


def test_a_clients_publication_shows_who_it_was(backend: Backend) -> None:
    ann = backend.world.client("ann")
    backend.world.subscribe(ann, "chat:a")
    backend.world.realtime.connections.publish(
        ann, "chat:a", f'"data":1,"info":{{"user":"ann","client":"{ann.connection}"}}'
    )
    (one,) = backend.result("history", {"channel": "chat:a", "limit": 1})["publications"]
    assert one["info"] == {"user": "ann", "client": ann.connection}


# --- batch


def test_a_batch_answers_each_command_in_order(backend: Backend) -> None:
    commands = [
        {"publish": {"channel": "a", "data": 1}},
        {"publish": {"channel": "a b", "data": 1}},
        {"nope": {}},
        {"batch": {"commands": []}},
        {},
        {"publish": {"channel": "a", "data": 2}, "info": {}},
        {"history": {"channel": "a", "limit": 9}},
    ]
    answer = backend.post("batch", {"commands": commands, "parallel": True}).json()
    assert list(answer) == ["replies"]
    codes = [reply.get("error", {}).get("code") for reply in answer["replies"]]
    assert codes == [None, 102, 104, 107, 107, 107, None]
    assert answer["replies"][0]["publish"]["offset"] == 1
    assert answer["replies"][6]["history"]["publications"] == [{"offset": 1, "data": 1}]


def test_a_batch_needs_the_permission_of_each_command(backend: Backend) -> None:
    commands = [{"info": {}}, {"publish": {"channel": "a", "data": 1}}]
    replies = backend.post("batch", {"commands": commands}, backend.key(Permission.READ)).json()["replies"]
    assert [list(reply) for reply in replies] == [["info"], ["error"]]
    assert backend.post("batch", {}).json() == {"replies": []}
