"""The scenarios of scenarios.py with the stock `centrifuge-python` SDK."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from typing import Any

import httpx
from centrifuge import Client, StreamPosition

from tests.sdk import python_connections
from tests.sdk.python_client import PATIENCE_S, Heard, Seen, Session, code_of, cut_off, session_of, until
from tests.sdk.world import World


def run(name: str, world: World) -> Any:
    """What the scenario returns."""

    async def in_loop() -> Any:
        async with session_of(world) as session:
            # A copy: closing the clients is no part of what happened.
            return deepcopy(await _scenario(name)(session))

    return asyncio.run(in_loop())


def _scenario(name: str) -> Callable[[Session], Awaitable[Any]]:
    found: Callable[[Session], Awaitable[Any]] = globals().get(name) or getattr(python_connections, name)
    return found


async def publications(session: Session) -> Any:
    mine, heard = await session.subscribe(await session.connect())
    theirs, _ = await session.subscribe(await session.connect(token=session.world.alice))
    await mine.publish({"n": 1})
    await theirs.publish("two")
    await mine.publish([3])
    await session.publish(None)
    await until(lambda: len(heard.publications) >= 4)
    return {"heard": heard.data}


async def burst(session: Session) -> Any:
    subscription, heard = await session.subscribe(await session.connect())
    await asyncio.gather(*(subscription.publish(value) for value in range(30)))
    await until(lambda: len(heard.publications) >= 30)
    return {"offsets": heard.offsets, "values": sorted(heard.data)}


async def presence(session: Session) -> Any:
    subscription, _ = await session.subscribe(await session.connect())
    await session.subscribe(await session.connect())
    await session.subscribe(await session.connect(token=session.world.alice))
    members = (await subscription.presence()).clients.values()
    stats = await subscription.presence_stats()
    return {
        "users": len({member.user for member in members}),
        "clients": len({member.client for member in members}),
        "stats": [stats.num_clients, stats.num_users],
    }


async def history(session: Session) -> Any:
    subscription, _ = await session.subscribe(await session.connect())
    await session.publish(1, 2, 3, 4, 5)
    position = await subscription.history()

    def since(offset: int) -> Any:
        return StreamPosition(offset=offset, epoch=position.epoch)

    async def values(**options: Any) -> list[Any]:
        return [publication.data for publication in (await subscription.history(**options)).publications]

    return {
        "position": [position.offset, len(position.publications)],
        "limited": await values(limit=2),
        "all": await values(limit=-1),
        "since": await values(limit=2, since=since(2)),
        "reverse": await values(limit=2, reverse=True),
        "reverse_since": await values(limit=-1, reverse=True, since=since(4)),
    }


async def refusals(session: Session) -> Any:
    client = await session.connect()
    channel = session.world.channel
    codes = [await code_of(client.publish(channel, 1))]
    for name in ("x" * 81, "user:somebody", "session:nope"):
        codes.append(await _unsubscribed_from(client, name))
    await session.subscribe(client)
    return {
        "codes": [*codes, await code_of(client.publish(channel, "x" * 29_000)), await code_of(client.rpc("no", {}))]
    }


async def _unsubscribed_from(client: Client, channel: str) -> int:
    heard = Heard()
    await client.new_subscription(channel, events=heard).subscribe()
    await until(lambda: heard.unsubscribed)
    return heard.unsubscribed[0]


async def rpc(session: Session) -> Any:
    client = await session.connect()
    return {"ping": (await client.rpc("ping", {})).data, "unknown": await code_of(client.rpc("nope", {}))}


async def recovery_in_traffic(session: Session) -> Any:
    client = await session.connect()
    theirs, _ = await session.subscribe(await session.connect(token=session.world.alice))
    _, heard = await session.subscribe(client)
    for value in range(40):
        await theirs.publish(value)
        if value == 10:
            cut_off(client)
    await until(lambda: len(heard.publications) >= 40)
    return {"heard": heard.data, "offsets": heard.offsets, "recovered": heard.again("recovered")}


async def _absent(session: Session, before: Sequence[Any], meanwhile: Callable[[], Awaitable[Any]]) -> Heard:
    """A client hears `before`, is away for `meanwhile`, and is back."""
    client = await session.connect()
    _, heard = await session.subscribe(client)
    await session.publish(*before)
    await until(lambda: len(heard.publications) >= len(before))
    await client.disconnect()
    await meanwhile()
    await client.connect()
    await until(lambda: len(heard.subscribed) == 2)
    return heard


async def recovery_after_absence(session: Session) -> Any:
    heard = await _absent(session, [1], lambda: session.publish(2, 3))
    await session.publish(4)
    await until(lambda: len(heard.publications) >= 4)
    return {"heard": heard.data, "recovered": heard.again("recovered"), "left_out": heard.unsubscribed}


async def _after_loss(session: Session, meanwhile: Callable[[], Awaitable[Any]]) -> Any:
    heard = await _absent(session, ["before"], meanwhile)
    await session.publish("after")
    await until(lambda: "after" in heard.data)
    return {
        "heard": heard.data,
        "recovered": heard.again("recovered"),
        "was_recovering": heard.again("was_recovering"),
    }


async def unrecoverable(session: Session) -> Any:
    return await _after_loss(session, lambda: session.publish(*range(101)))


async def removed_history(session: Session) -> Any:
    async def remove() -> None:
        await session.publish("lost")
        await session.api("history_remove", channel=session.world.channel)

    return await _after_loss(session, remove)


async def nothing_missed(session: Session) -> Any:
    heard = await _absent(session, [1], lambda: asyncio.sleep(0))
    await session.publish(2)
    await until(lambda: len(heard.publications) >= 2)
    return {"heard": heard.data, "recovered": heard.again("recovered")}


async def join_leave(session: Session) -> Any:
    _, heard = await session.subscribe(await session.connect(), join_leave=True)
    events = Seen()
    guest = await session.connect(events, token=session.world.alice)
    await session.subscribe(guest)
    await until(lambda: events.connected[0] in heard.joined)
    await guest.disconnect()
    await until(lambda: heard.left)
    count = [heard.joined.count(events.connected[0]), heard.left.count(events.connected[0])]
    return {"joined": count[0] > 0, "left": count[1] > 0, "count": count}


async def personal_channel(session: Session) -> Any:
    events, personal = Seen(), session.world.personal
    client = await session.connect(events)
    await until(lambda: events.subscribed)
    await session.publish("live", channel=personal)
    await until(lambda: len(events.publications) >= 1)
    await client.disconnect()
    await session.publish("missed 1", "missed 2", channel=personal)
    await client.connect()
    await until(lambda: len(events.publications) >= 3)
    await session.publish("live again", channel=personal)
    await until(lambda: len(events.publications) >= 4)
    return {"heard": events.publications, "recovered": [one.recovered for one in events.subscribed]}


async def many_channels(session: Session) -> Any:
    client, everything = await session.connect(), [Heard() for _ in range(25)]
    for i, heard in enumerate(everything):
        await client.new_subscription(f"{session.world.channel}-{i}", events=heard).subscribe()
    await until(lambda: all(len(heard.subscribed) == 1 for heard in everything))
    cut_off(client)
    await until(lambda: all(len(heard.subscribed) == 2 for heard in everything))
    await session.api("broadcast", channels=[f"{session.world.channel}-{i}" for i in range(25)], data=1)
    await until(lambda: all(heard.publications for heard in everything))
    return {
        "subscribed": len(client.subscriptions()),
        "heard": sum(len(heard.publications) for heard in everything),
    }


async def unsubscribe(session: Session) -> Any:
    events = Seen()
    client = await session.connect(events)
    subscription, heard = await session.subscribe(client)
    await session.publish("before")
    await until(lambda: heard.publications)
    await subscription.unsubscribe()
    await client.rpc("ping", {})
    while events.connected[0] in (
        present := (await session.api("presence", channel=session.world.channel))["presence"]
    ):
        await asyncio.sleep(0.05)
    client.remove_subscription(subscription)
    await session.publish("unheard")
    _, later = await session.subscribe(client)
    await session.publish("back")
    await until(lambda: later.publications)
    return {
        "codes": heard.unsubscribed,
        "present": events.connected[0] in present,
        "heard": heard.data + later.data,
    }


async def strict_mode(session: Session) -> Any:
    client, heard = await session.connect(), Heard()
    subscription = client.new_subscription(session.world.channel, events=heard)
    await asyncio.gather(subscription.subscribe(), subscription.unsubscribe(), subscription.subscribe())
    await subscription.ready(PATIENCE_S)
    await subscription.publish("here")
    await until(lambda: heard.publications)
    return {"heard": heard.data}


async def flapping(session: Session) -> Any:
    events = Seen()
    client = await session.connect(events)
    subscription = client.new_subscription(session.world.channel)
    for _ in range(5):
        await subscription.subscribe()
        await subscription.unsubscribe()
    return await _settled(session, events.connected[0], subscription.state.value)


async def _settled(session: Session, client: str, state: str) -> Any:
    """Commands race; once the last one is through, the answer must stay."""
    calm_since = time.monotonic()
    while time.monotonic() - calm_since < 0.5:
        if client in (await session.api("presence", channel=session.world.channel))["presence"]:
            calm_since = time.monotonic()
    return {"present": False, "state": state}


async def foreign_session(session: Session) -> Any:
    client = await session.connect()
    return {"codes": [await _unsubscribed_from(client, f"session:{session.world.foreign_session}")]}


async def session_channel(session: Session) -> Any:
    _, heard = await session.subscribe(await session.connect(), f"session:{session.world.own_session}")
    headers = {
        "authorization": f"Bearer {session.world.amir}",
        "content-type": "application/merge-patch+json",
    }
    async with httpx.AsyncClient(base_url=session.world.http, headers=headers, timeout=30) as http:
        for step in range(4):
            await http.patch(f"/sessions/{session.world.own_session}", json={"step": step})
    await until(lambda: len(heard.publications) >= 4)
    return {"versions": [data["version"] for data in heard.data]}


async def lost_share(session: Session) -> Any:
    headers = {"authorization": f"Bearer {session.world.alice}"}
    async with httpx.AsyncClient(base_url=session.world.http, headers=headers, timeout=30) as http:
        made = (await http.post("/sessions", json={"access": {"tenant": "read"}})).json()["id"]
        subscription, heard = await session.subscribe(await session.connect(), f"session:{made}")
        await http.patch(f"/sessions/{made}/access", json={"tenant": None})
        await http.patch(f"/sessions/{made}", json={"secret": 1})
    await until(lambda: heard.unsubscribed)
    told = [data["type"] for data in heard.data]
    return {"told": told, "unsubscribed": heard.unsubscribed, "state": subscription.state.value}
