"""The stock `cent` client, unchanged, against the running stack's server API."""

import secrets
from collections.abc import Callable, Iterator

import httpx
import pytest
from cent import CentApiResponseError, CentUnauthorizedError
from cent import Client as Cent
from cent.dto import (
    BatchRequest,
    BlockUserRequest,
    BroadcastRequest,
    ChannelsRequest,
    ConnectionsRequest,
    Disconnect,
    DisconnectRequest,
    HistoryRemoveRequest,
    HistoryRequest,
    InfoRequest,
    InvalidateUserTokensRequest,
    PresenceRequest,
    PresenceStatsRequest,
    PublishRequest,
    RefreshRequest,
    RevokeTokenRequest,
    StreamPosition,
    SubscribeRequest,
    UnblockUserRequest,
    UnsubscribeRequest,
)

from shared.auth.api_keys import ApiKeys
from shared.auth.identity import Permission
from shared.state.client import Redis
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.support.client import Client
from tests.support.minting import claims_of
from tests.support.stack import ALICE, AMIR, BOB, Stack

ACME = TenantScope("acme", SCOPE_SEAL)


def key(stack: Stack, *permissions: Permission) -> str:
    redis = Redis(stack.redis_rest_url, stack.redis_rest_token, timeout_ms=5000, connect_timeout_ms=1000)
    return ApiKeys(redis).create(ACME, "tests", permissions)[0]


@pytest.fixture
def cent(stack: Stack) -> Iterator[Cent]:
    client = Cent(f"{stack.http}/api", key(stack, Permission.ADMIN), timeout=30)
    yield client
    client.close()


@pytest.fixture
def channel() -> str:
    return f"chat:{secrets.token_hex(4)}"


def test_publish_history_and_positions(cent: Cent, channel: str) -> None:
    first = cent.publish(PublishRequest(channel=channel, data={"n": 1}, tags={"a": "b"}))
    second = cent.publish(PublishRequest(channel=channel, data={"n": 2}))
    assert (first.offset, second.offset, first.epoch) == (1, 2, second.epoch)
    past = cent.history(HistoryRequest(channel=channel, limit=10))
    assert [one.data for one in past.publications] == [{"n": 1}, {"n": 2}]
    assert past.publications[0].tags == {"a": "b"}
    since = StreamPosition(offset=1, epoch=first.epoch)
    assert [
        one.offset for one in cent.history(HistoryRequest(channel=channel, limit=10, since=since)).publications
    ] == [2]
    assert cent.history(HistoryRequest(channel=channel)).publications == []


def test_an_idempotent_publish_counts_once(cent: Cent, channel: str) -> None:
    request = PublishRequest(channel=channel, data=1, idempotency_key="once")
    assert cent.publish(request).offset == cent.publish(request).offset == 1


def test_broadcast_answers_for_each_channel(cent: Cent, channel: str) -> None:
    answered = cent.broadcast(BroadcastRequest(channels=[channel, "with space", f"{channel}-2"], data=1))
    codes = [one.error.code if one.error else None for one in answered.responses]
    assert codes == [None, 102, None]


def test_presence_and_disconnect(stack: Stack, cent: Cent, channel: str) -> None:
    with Client(stack.websocket, stack.token(AMIR)) as client:
        client.subscribe(channel)
        presence = cent.presence(PresenceRequest(channel=channel)).presence
        assert list(presence) == [client.id]
        stats = cent.presence_stats(PresenceStatsRequest(channel=channel))
        assert (stats.num_clients, stats.num_users) == (1, 1)
        assert cent.info(InfoRequest()).nodes[0].num_clients >= 1
        request = DisconnectRequest(user=presence[client.id].user, disconnect=Disconnect(code=3503, reason="out"))
        cent.disconnect(request)
        assert client.disconnect_push() == {"code": 3503, "reason": "out"}
        client.wait_closed()
    assert cent.presence(PresenceRequest(channel=channel)).presence == {}


def test_history_is_removed(cent: Cent, channel: str) -> None:
    cent.publish(PublishRequest(channel=channel, data=1))
    cent.history_remove(HistoryRemoveRequest(channel=channel))
    past = cent.history(HistoryRequest(channel=channel, limit=10))
    assert (past.publications, past.offset) == ([], 1)


def test_what_centrifugo_sells_acts_on_a_user(stack: Stack, cent: Cent) -> None:
    """In the end each has closed the user's connection, with its code."""
    email = f"{secrets.token_hex(4)}@acme.test"
    stack.add_user(email, {"tenant_id": "acme", "permissions": ["read"]})
    ends: list[tuple[Callable[[str, str], object], int]] = [
        (lambda user, _: cent.block_user(BlockUserRequest(user=user)), 3503),
        (lambda user, _: cent.refresh(RefreshRequest(user=user, expired=True)), 3005),
        (lambda _, session: cent.revoke_token(RevokeTokenRequest(uid=session)), 3500),
        (lambda user, _: cent.invalidate_user_tokens(InvalidateUserTokensRequest(user=user)), 3011),
    ]
    for end, code in ends:
        token = stack.token(email)
        user, session = (str(claims_of(token)[name]) for name in ("sub", "session_id"))
        with Client(stack.websocket, token) as client:
            listed = cent.connections(ConnectionsRequest(user=user, expression="")).connections
            assert [one.user for one in listed.values()] == [user]
            cent.refresh(RefreshRequest(user=user, expire_at=2_000_000_000))
            end(user, session)
            assert client.disconnect_push()["code"] == code
            client.wait_closed()
        cent.unblock_user(UnblockUserRequest(user=user))


def test_tokens_are_revoked_of_whom_nobody_has_seen(cent: Cent) -> None:
    cent.revoke_token(RevokeTokenRequest(uid="of-nobody"))


def test_a_batch_runs_each(cent: Cent, channel: str) -> None:
    commands = [PublishRequest(channel=channel, data=1), PresenceStatsRequest(channel=channel)]
    replies = cent.batch(BatchRequest(requests=commands)).replies
    assert len(replies) == 2


def test_a_bad_key_is_401_and_everything_else_200(stack: Stack, cent: Cent, channel: str) -> None:
    with pytest.raises(CentUnauthorizedError):
        Cent(f"{stack.http}/api", "tck_acme_nope").info(InfoRequest())
    with pytest.raises(CentApiResponseError) as refused:
        Cent(f"{stack.http}/api", key(stack, Permission.READ)).publish(PublishRequest(channel=channel, data=1))
    assert refused.value.code == 103
    unknown = httpx.post(f"{stack.http}/api/nope", json={}, headers={"x-api-key": key(stack, Permission.ADMIN)})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (200, 104)
    garbage = httpx.post(
        f"{stack.http}/api/publish", content=b"{", headers={"authorization": f"apikey {key(stack, Permission.ADMIN)}"}
    )
    assert (garbage.status_code, garbage.json()["error"]["code"]) == (200, 107)
    large = {"channel": channel, "data": "x" * 70_000}
    answered = httpx.post(f"{stack.http}/api/publish", json=large, headers={"x-api-key": key(stack, Permission.ADMIN)})
    assert answered.json()["error"]["code"] == 107


def test_users_need_admin_and_see_their_tenant_only(stack: Stack, cent: Cent, channel: str) -> None:
    cent.publish(PublishRequest(channel=channel, data="acme's"))
    with stack.api(stack.token(AMIR)) as api:
        assert api.post("/api/info", json={}).json()["error"]["code"] == 103
        assert api.get("/connections").status_code == 403
    with stack.api(stack.token(BOB)) as api:
        assert api.post("/api/history", json={"channel": channel, "limit": 9}).json()["result"]["publications"] == []
    with stack.api(stack.token(ALICE)) as api:
        found = api.post("/api/history", json={"channel": channel, "limit": 9}).json()["result"]["publications"]
        assert [one["data"] for one in found] == ["acme's"]


def test_connections_are_listed_and_closed(stack: Stack, channel: str) -> None:
    with (
        Client(stack.websocket, stack.token(AMIR)) as client,
        Client(stack.websocket, stack.token(BOB)) as foreign,
        stack.api(stack.token(ALICE)) as api,
    ):
        client.subscribe(channel)
        items = {item["client"]: item for item in api.get("/connections", params={"limit": 200}).json()["items"]}
        assert items[client.id]["channels"] == sorted([channel, f"user:{items[client.id]['user']}"])
        assert foreign.id not in items
        assert api.delete(f"/connections/{foreign.id}").status_code == 404
        assert api.delete(f"/connections/{client.id}").status_code == 204
        assert client.disconnect_push()["code"] == 3503
        assert api.delete(f"/connections/{client.id}").status_code == 404
        assert foreign.closed is None


def test_the_server_subscribes_counts_and_unsubscribes(stack: Stack, cent: Cent, channel: str) -> None:
    with Client(stack.websocket, stack.token(AMIR)) as client:
        user = next(iter(client.connected["subs"])).removeprefix("user:")
        cent.subscribe(SubscribeRequest(user=user, channel=channel, client=client.id))
        client.wait(lambda frame: "subscribe" in frame.get("push", {}))
        assert cent.channels(ChannelsRequest(pattern=channel)).channels[channel].num_clients == 1
        cent.publish(PublishRequest(channel=channel, data="for the subscribed"))
        assert [push["data"] for push in client.wait_for(channel, 1)] == ["for the subscribed"]
        cent.unsubscribe(UnsubscribeRequest(user=user, channel=channel))
        assert client.wait_for(channel, 1, "unsubscribe")[0]["code"] == 2000
        assert cent.channels(ChannelsRequest(pattern=channel)).channels == {}


def test_ending_a_session_tells_and_unsubscribes_its_subscribers(stack: Stack) -> None:
    with stack.api(stack.token(ALICE)) as api, Client(stack.websocket, stack.token(ALICE)) as client:
        session = api.post("/sessions", json={"data": {}, "ttl_seconds": 60}).json()["id"]
        client.subscribe(f"session:{session}")
        assert api.post(f"/sessions/{session}/end").json()["status"] == "ended"
        assert client.wait_for(f"session:{session}", 1)[0]["data"]["type"] == "session.ended"
        assert client.wait_for(f"session:{session}", 1, "unsubscribe")[0]["code"] == 2000
