"""The stock `centrifuge-python` SDK with its events written down, for the scenarios of in_python.py."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
from centrifuge import CentrifugeError, Client, ClientEventHandler, Subscription, SubscriptionEventHandler

from tests.sdk.world import World

PATIENCE_S = 20.0


class Heard(SubscriptionEventHandler):  # type: ignore[misc]
    """What one subscription was told."""

    def __init__(self) -> None:
        self.publications: list[Any] = []
        self.joined: list[str] = []
        self.left: list[str] = []
        self.subscribed: list[Any] = []
        self.unsubscribed: list[int] = []

    @property
    def data(self) -> list[Any]:
        return [publication.data for publication in self.publications]

    @property
    def offsets(self) -> list[int]:
        return [publication.offset for publication in self.publications]

    def again(self, member: str) -> list[bool]:
        """`recovered` or `was_recovering` of each subscribing after the first."""
        return [getattr(ctx, member) for ctx in self.subscribed[1:]]

    async def on_publication(self, ctx: Any) -> None:
        self.publications.append(ctx.pub)

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
        self.connecting: list[int] = []
        self.connected: list[str] = []
        self.disconnected: list[int] = []
        self.errors: list[int] = []
        self.subscribed: list[Any] = []
        self.publications: list[Any] = []

    async def on_connecting(self, ctx: Any) -> None:
        self.connecting.append(ctx.code)

    async def on_connected(self, ctx: Any) -> None:
        self.connected.append(ctx.client)

    async def on_error(self, ctx: Any) -> None:
        self.errors.append(ctx.code)

    async def on_disconnected(self, ctx: Any) -> None:
        self.disconnected.append(ctx.code)

    async def on_subscribed(self, ctx: Any) -> None:
        self.subscribed.append(ctx)

    async def on_publication(self, ctx: Any) -> None:
        self.publications.append(ctx.pub.data)


class Session:
    """The clients of one scenario, all closed at its end."""

    def __init__(self, world: World, opened: AsyncExitStack) -> None:
        self.world = world
        self._opened = opened

    async def start(self, events: Seen, **options: Any) -> Client:
        """Asked to connect, and not waited for."""
        given = {"token": self.world.amir, "proxy": None, "timeout": PATIENCE_S, **options}
        client = Client(self.world.url, events=events, **given)
        self._opened.push_async_callback(_closed, client)
        await client.connect()
        return client

    async def connect(self, events: Seen | None = None, **options: Any) -> Client:
        client = await self.start(events or Seen(), **options)
        await client.ready(PATIENCE_S)
        return client

    async def subscribe(
        self, client: Client, channel: str = "", events: Heard | None = None, **options: Any
    ) -> tuple[Subscription, Heard]:
        heard = events or Heard()
        subscription = client.new_subscription(channel or self.world.channel, events=heard, **options)
        await subscription.subscribe()
        await subscription.ready(PATIENCE_S)
        await until(lambda: heard.subscribed)
        return subscription, heard

    async def api(self, method: str, **body: Any) -> dict[str, Any]:
        """The server API as alice, who is admin."""
        headers = {"authorization": f"Bearer {self.world.alice}"}
        async with httpx.AsyncClient(base_url=self.world.http, headers=headers, timeout=30) as http:
            answered: dict[str, Any] = (await http.post(f"/api/{method}", json=body)).json()
        return dict(answered.get("result", answered))

    async def publish(self, *values: Any, channel: str = "") -> None:
        """By the backend, in order, in one batch."""
        where = channel or self.world.channel
        await self.api("batch", commands=[{"publish": {"channel": where, "data": value}} for value in values])


async def _closed(client: Client) -> None:
    await client.disconnect()
    # The SDK closes its socket in the background; the loop must not end before.
    await asyncio.gather(*client._background_tasks, return_exceptions=True)


async def until(true: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


def cut_off(client: Client) -> None:
    """The network breaks: no close frame, no word."""
    client._conn.transport.abort()


async def code_of(command: Awaitable[Any]) -> int:
    try:
        await command
    except CentrifugeError as refused:
        return int(getattr(refused, "code", -1))
    return 0


@asynccontextmanager
async def session_of(world: World) -> AsyncIterator[Session]:
    async with AsyncExitStack() as opened:
        yield Session(world, opened)
