"""The scenarios of scenarios.py about a client's connection: how it begins, goes on and ends."""

import asyncio
from typing import Any

import httpx

from tests.sdk.python_client import Seen, Session, until


async def _personal(session: Session, **options: Any) -> Any:
    events = Seen()
    await session.connect(events, **options)
    await until(lambda: events.subscribed)
    return {"personal": [one.channel for one in events.subscribed] == [session.world.personal]}


async def header_token(session: Session) -> Any:
    return await _personal(session, token="", headers={"Authorization": f"Bearer {session.world.amir}"})


async def first_frame_token(session: Session) -> Any:
    return await _personal(session)


async def _asked(session: Session, **options: Any) -> Any:
    events, asked = Seen(), [0]

    async def fresh() -> str:
        asked[0] += 1
        return session.world.amir

    client = await session.connect(events, get_token=fresh, **options)
    await client.rpc("ping", {})
    return {"asked": asked[0], "connected": len(events.connected), "disconnected": events.disconnected}


async def subscription_token(session: Session) -> Any:
    tokens = list(session.world.subscription_tokens)

    async def fresh(channel: str) -> str:
        return tokens.pop(0)

    subscription, heard = await session.subscribe(await session.connect(), get_token=fresh, min_resubscribe_delay=0.05)
    await until(lambda: not tokens)
    await subscription.publish("here")
    await until(lambda: heard.publications)
    asked = len(session.world.subscription_tokens) - len(tokens)
    return {"asked": asked, "subscribed": len(heard.subscribed), "codes": heard.unsubscribed, "heard": heard.data}


async def refresh_without_read(session: Session) -> Any:
    events = Seen()

    async def fresh() -> str:
        return session.world.writer

    client = await session.connect(events, token=session.world.short, get_token=fresh)
    _, heard = await session.subscribe(client)
    await until(lambda: heard.unsubscribed)
    await client.rpc("ping", {})
    return {"codes": heard.unsubscribed, "connected": len(events.connected), "disconnected": events.disconnected}


async def no_token(session: Session) -> Any:
    return await _asked(session, token="")


async def expired_handshake(session: Session) -> Any:
    return await _asked(session, token="", headers={"Authorization": f"Bearer {session.world.expired}"})


async def expired_first_frame(session: Session) -> Any:
    return await _asked(session, token=session.world.expired)


async def expired_for_good(session: Session) -> Any:
    events = Seen()
    await session.start(events, token=session.world.expired)
    await until(lambda: events.disconnected)
    return {"disconnected": events.disconnected}


async def wrong_token(session: Session) -> Any:
    events = Seen()
    await session.start(events, token=session.world.amir[:-8] + "AAAAAAAA")
    await until(lambda: events.disconnected)
    return {"disconnected": events.disconnected}


async def refresh(session: Session) -> Any:
    events, asked = Seen(), [0]

    async def fresh() -> str:
        asked[0] += 1
        return session.world.amir

    client = await session.connect(events, token=session.world.short, get_token=fresh)
    _, heard = await session.subscribe(client)
    first = await _expires_at(session, events.connected[0])
    await until(lambda: asked[0])
    while (last := await _expires_at(session, events.connected[0])) == first:
        await asyncio.sleep(0.05)
    await session.publish("after")
    await until(lambda: heard.data)
    return {
        "asked": asked[0],
        "connected": len(events.connected),
        "disconnected": events.disconnected,
        "extended": last > first,
        "same": events.connected == [client.client_id],
        "heard": heard.data,
    }


async def _expires_at(session: Session, client: str) -> str:
    headers = {"authorization": f"Bearer {session.world.alice}"}
    async with httpx.AsyncClient(base_url=session.world.http, headers=headers, timeout=30) as http:
        items = (await http.get("/connections", params={"limit": 200})).json()["items"]
    return next(str(item["expires_at"]) for item in items if item["client"] == client)


async def idle(session: Session) -> Any:
    """Says and hears nothing until the backend publishes."""
    events = Seen()
    _, heard = await session.subscribe(await session.connect(events))
    await until(lambda: heard.publications, within_s=80)
    return {
        "connecting": len(events.connecting),
        "connected": len(events.connected),
        "disconnected": events.disconnected,
        "errors": events.errors,
        "subscribed": len(heard.subscribed),
        "heard": heard.data,
    }


async def listen_to_the_end(session: Session) -> Any:
    """Whatever happens to the connection."""
    events = Seen()
    _, heard = await session.subscribe(await session.connect(events))
    await until(lambda: "end" in heard.data, within_s=60)
    return {"heard": heard.data, "offsets": heard.offsets, "disconnected": events.disconnected}


async def planned_reconnect(session: Session) -> Any:
    """Asked to come back before the two hours are over, while others publish."""
    events = Seen()
    _, heard = await session.subscribe(await session.connect(events))
    await until(lambda: len(heard.publications) >= 3, within_s=40)
    return {
        "codes": events.connecting[1:],
        "connected": len(events.connected),
        "disconnected": events.disconnected,
        "heard": heard.data,
        "recovered": heard.again("recovered"),
    }


async def disconnect_for_good(session: Session) -> Any:
    events = Seen()
    await session.connect(events)
    await _disconnect(session, events, 3503)
    await until(lambda: events.disconnected)
    await asyncio.sleep(0.3)
    return {"codes": events.disconnected, "connected": len(events.connected)}


async def _disconnect(session: Session, events: Seen, code: int) -> None:
    why = {"code": code, "reason": "because"}
    client = events.connected[-1]
    await session.api("disconnect", user=session.world.amir_id, client=client, disconnect=why)


async def _comes_back(session: Session, code: int) -> Any:
    events = Seen()
    client = await session.connect(events)
    _, heard = await session.subscribe(client)
    await session.publish(1)
    await until(lambda: heard.publications)
    await _disconnect(session, events, code)
    await session.publish(2)
    await until(lambda: len(heard.publications) == 2)
    return {
        "codes": events.connecting[1:],
        "connected": len(events.connected),
        "disconnected": events.disconnected,
        "heard": heard.data,
        "recovered": heard.again("recovered"),
    }


async def disconnect_3001(session: Session) -> Any:
    return await _comes_back(session, 3001)


async def disconnect_3008(session: Session) -> Any:
    return await _comes_back(session, 3008)
