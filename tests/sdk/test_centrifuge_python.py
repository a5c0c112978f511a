"""The stock `centrifuge-python` SDK, unchanged, against the running stack."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from centrifuge import CentrifugeError, Client, ClientEventHandler, SubscriptionEventHandler

from tests.support.stack import ALICE, AMIR, BOB, Stack

pytestmark = pytest.mark.anyio


class Heard(SubscriptionEventHandler):  # type: ignore[misc]
    """What one subscription was told."""

    def __init__(self) -> None:
        self.publications: list[Any] = []
        self.joined: list[str] = []
        self.left: list[str] = []
        self.subscribed: list[Any] = []
        self.errors: list[int] = []
        self.unsubscribed: list[int] = []

    async def on_publication(self, ctx: Any) -> None:
        self.publications.append(ctx.pub.data)

    async def on_join(self, ctx: Any) -> None:
        self.joined.append(ctx.info.client)

    async def on_leave(self, ctx: Any) -> None:
        self.left.append(ctx.info.client)

    async def on_subscribed(self, ctx: Any) -> None:
        self.subscribed.append(ctx)

    async def on_unsubscribed(self, ctx: Any) -> None:
        self.unsubscribed.append(ctx.code)


class Seen(ClientEventHandler):  # type: ignore[misc]
    """What one client was told."""

    def __init__(self) -> None:
        self.connected: list[str] = []
        self.server_publications: list[Any] = []
        self.server_subscribed: list[str] = []
        self.disconnected: list[int] = []

    async def on_connected(self, ctx: Any) -> None:
        self.connected.append(ctx.client)

    async def on_publication(self, ctx: Any) -> None:
        self.server_publications.append((ctx.channel, ctx.pub.data))

    async def on_subscribed(self, ctx: Any) -> None:
        self.server_subscribed.append(ctx.channel)

    async def on_disconnected(self, ctx: Any) -> None:
        self.disconnected.append(ctx.code)


async def until(true: Callable[[], object], within_s: float = 15) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def connected(stack: Stack, email: str = ALICE, **options: Any) -> AsyncIterator[Client]:
    token = await asyncio.to_thread(stack.token, email)
    client = Client(stack.websocket, **{"token": token, "proxy": None, "timeout": 15.0, **options})
    await client.connect()
    await client.ready(15)
    try:
        yield client
    finally:
        await client.disconnect()
        # The SDK closes its socket in the background; the loop must not end before.
        await asyncio.gather(*client._background_tasks, return_exceptions=True)


def channel() -> str:
    return f"chat:{secrets.token_hex(4)}"


async def test_subscribe_publish_presence_and_history(stack: Stack) -> None:
    heard, name = Heard(), channel()
    async with connected(stack) as client:
        lobby = client.new_subscription(name, events=heard)
        await lobby.subscribe()
        await lobby.ready(15)
        for value in ({"n": 1}, "two", [3]):
            await lobby.publish(value)
        await until(lambda: len(heard.publications) == 3)
        assert heard.publications == [{"n": 1}, "two", [3]]
        members = await lobby.presence()
        assert len(members.clients) == 1
        stats = await lobby.presence_stats()
        assert (stats.num_clients, stats.num_users) == (1, 1)
        past = await lobby.history(limit=10)
        assert [pub.data for pub in past.publications] == [{"n": 1}, "two", [3]]
        assert past.offset == 3


async def test_the_handshake_may_carry_the_token(stack: Stack) -> None:
    token = await asyncio.to_thread(stack.token, AMIR)
    events = Seen()
    async with connected(stack, token="", headers={"Authorization": f"Bearer {token}"}, events=events):
        assert len(events.connected) == 1
        assert events.server_subscribed[0].startswith("user:")


async def test_an_expired_token_ends_in_a_fresh_one(stack: Stack) -> None:
    """Answered 109, the SDK asks the application, once."""
    asked: list[int] = []

    async def fresh() -> str:
        asked.append(1)
        return await asyncio.to_thread(stack.token, ALICE)

    async with connected(stack, token="", get_token=fresh) as client:
        assert client.state.value == "connected"
    assert asked == [1]


async def test_joins_and_leaves_are_heard(stack: Stack) -> None:
    heard, name = Heard(), channel()
    async with connected(stack) as client:
        await client.new_subscription(name, events=heard, join_leave=True).subscribe()
        await until(lambda: heard.subscribed)
        events = Seen()
        async with connected(stack, AMIR, events=events) as guest:
            theirs = guest.new_subscription(name)
            await theirs.subscribe()
            await theirs.ready(15)
            await until(lambda: heard.joined)
        await until(lambda: heard.left)
    assert heard.joined == heard.left == events.connected


async def test_a_dropped_connection_recovers_what_was_published_meanwhile(stack: Stack) -> None:
    heard, name = Heard(), channel()
    async with connected(stack) as publisher, connected(stack, AMIR, min_reconnect_delay=1.0) as client:
        await client.new_subscription(name, events=heard).subscribe()
        await until(lambda: heard.subscribed)
        theirs = publisher.new_subscription(name)
        await theirs.subscribe()
        await theirs.publish(1)
        await until(lambda: heard.publications == [1])
        await client._conn.close()
        await theirs.publish(2)
        await theirs.publish(3)
        await until(lambda: heard.publications == [1, 2, 3])
        assert heard.subscribed[-1].recovered


async def test_the_personal_channel_hears_the_backend(stack: Stack) -> None:
    events = Seen()
    async with connected(stack, AMIR, events=events):
        await until(lambda: events.server_subscribed)
        (personal,) = events.server_subscribed
        token = await asyncio.to_thread(stack.token, ALICE)
        answer = httpx.post(
            f"{stack.http}/api/publish",
            json={"channel": personal, "data": {"for": "amir"}},
            headers={"authorization": f"Bearer {token}"},
        )
        assert answer.json()["result"]["offset"] == 1
        await until(lambda: events.server_publications)
    assert events.server_publications == [(personal, {"for": "amir"})]


async def test_what_belongs_to_another_tenant_is_refused(stack: Stack) -> None:
    with stack.api(await asyncio.to_thread(stack.token, ALICE)) as api:
        session = api.post("/sessions", json={"data": {}, "ttl_seconds": 60}).json()["id"]
    heard = Heard()
    async with connected(stack, BOB) as client:
        await client.new_subscription(f"session:{session}", events=heard).subscribe()
        await until(lambda: heard.unsubscribed)
        assert heard.unsubscribed == [103]


async def test_rpc_ping_answers_and_unknown_methods_are_refused(stack: Stack) -> None:
    async with connected(stack) as client:
        assert (await client.rpc("ping", {})).data == {}
        with pytest.raises(CentrifugeError) as refused:
            await client.rpc("nope", {})
        assert getattr(refused.value, "code", None) == 104
