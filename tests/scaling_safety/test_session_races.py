"""Many writers of one session through several environments: one wins each version, no patch is lost, all are told."""

import asyncio
import json
import os
import random
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.delivery.listener import Listener, arrived, listening
from tests.support.stack import ALICE, AMIR, Stack

pytestmark = pytest.mark.anyio
CROWD, WRITERS, WINS = 100, 6, 4
# Fewer than the history holds, so that nothing is trimmed while a lane waits for a dead holder's lease.
MORTALS, STRIKES = 60, 4
_Events = list[dict[str, Any]]


@dataclass
class Shared:
    """One session, its writers' API, and those who have listened to it since its first version."""

    api: httpx.AsyncClient
    path: str
    listeners: list[Listener]

    async def patch(self, change: dict[str, object], etag: str = "") -> httpx.Response:
        headers = {"content-type": "application/merge-patch+json"} | ({"if-match": etag} if etag else {})
        return await self.api.patch(self.path, content=json.dumps(change), headers=headers)

    async def patch_until_done(self, change: dict[str, object]) -> None:
        while (await self.patch(change)).status_code != 200:
            await asyncio.sleep(0.1)

    async def win(self, change: dict[str, object]) -> int:
        """Tries it on the version it knows until that is the present one; returns the version it made."""
        etag = '"1"'
        while (answer := await self.patch(change, etag)).status_code == 412:
            etag = answer.headers["etag"]
        return int(answer.raise_for_status().json()["version"])

    async def now(self) -> tuple[int, dict[str, Any]]:
        session = (await self.api.get(self.path)).raise_for_status().json()
        return session["version"], session["data"]

    async def told(self, version: int, within_s: float = 20) -> _Events:
        """What all were told up to the version: each version, in order, none lost."""
        await arrived(self.listeners, version, within_s)
        heard = [first_arrivals(one) for one in self.listeners]
        for events in heard:
            assert [event["version"] for event in events] == list(range(2, version + 1))
            assert events == heard[0]
        assert [one.lost for one in self.listeners] == [0] * len(self.listeners)
        return heard[0]


def first_arrivals(one: Listener) -> _Events:
    """By README's line, which drops what a dead drainer's successor sends again."""
    return [data for i, data in enumerate(one.data) if one.offsets[i] > max(one.offsets[:i], default=0)]


@asynccontextmanager
async def shared(stack: Stack) -> AsyncIterator[Shared]:
    alice, amir = stack.token(ALICE), stack.token(AMIR)
    options: dict[str, Any] = {"timeout": 60, "limits": httpx.Limits(max_connections=CROWD)}
    async with httpx.AsyncClient(base_url=stack.http, headers={"authorization": f"Bearer {alice}"}, **options) as api:
        created = await api.post("/sessions", json={"access": {"tenant": "read"}})
        session_id = created.raise_for_status().json()["id"]
        listeners = [Listener(stack.websocket, token, f"session:{session_id}") for token in (alice, amir, amir)]
        async with listening(listeners):
            yield Shared(api, f"/sessions/{session_id}", listeners)


async def test_of_a_hundred_patches_of_one_version_one_wins(stack: Stack) -> None:
    async with shared(stack) as session:
        answers = await asyncio.gather(*(session.patch({"winner": i}, '"1"') for i in range(CROWD)))
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [200] + [412] * (CROWD - 1)
        winner = statuses.index(200)
        assert await session.now() == (2, {"winner": winner})
        assert [event["patch"] for event in await session.told(2)] == [{"winner": winner}]


async def test_each_version_has_one_winner_and_all_hear_of_it_once(stack: Stack) -> None:
    async with shared(stack) as session:

        async def writer(name: str) -> list[int]:
            return [await session.win({name: i}) for i in range(WINS)]

        won = await asyncio.gather(*(writer(f"w{i}") for i in range(WRITERS)))
        top = 1 + WRITERS * WINS
        assert sorted(version for versions in won for version in versions) == list(range(2, top + 1))
        events = await session.told(top)
        for name, versions in enumerate(won):
            assert [events[version - 2]["patch"] for version in versions] == [{f"w{name}": i} for i in range(WINS)]
        assert [one.duplicates for one in session.listeners] == [0, 0, 0]


async def test_a_hundred_patches_at_once_are_all_merged_and_all_told_once(stack: Stack) -> None:
    async with shared(stack) as session:
        answers = await asyncio.gather(*(session.patch({f"w{i}": i}) for i in range(CROWD)))
        assert {answer.status_code for answer in answers} == {200}
        assert await session.now() == (CROWD + 1, {f"w{i}": i for i in range(CROWD)})
        events = await session.told(CROWD + 1)
        assert sorted(next(iter(event["patch"].values())) for event in events) == list(range(CROWD))
        assert [one.duplicates for one in session.listeners] == [0, 0, 0]


def kill(stack: Stack, function: str) -> int:
    running: dict[str, list[int]] = json.loads((stack.data / "pids.json").read_text())
    (pids,) = (pids for name, pids in running.items() if name.rsplit("-", 1)[-1] == function)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(pids)


async def test_killed_workers_lose_no_patch_and_no_subscriber_a_version(stack: Stack) -> None:
    chance = random.Random(secrets.randbits(32))
    async with shared(stack) as session:

        async def patch(i: int) -> None:
            await asyncio.sleep(chance.uniform(0, 2.0))
            await session.patch_until_done({f"w{i}": i})

        async def strike(at: float) -> int:
            await asyncio.sleep(at)
            return kill(stack, "session")

        strikes = [asyncio.create_task(strike(chance.uniform(0.1, 2.0))) for _ in range(STRIKES)]
        await asyncio.gather(*(patch(i) for i in range(MORTALS)))
        assert sum(await asyncio.gather(*strikes)) > 0
        await session.patch_until_done({"last": True})
        top, data = await session.now()
        assert data == {f"w{i}": i for i in range(MORTALS)} | {"last": True}
        events = await session.told(top, 40)
        assert merged_in_order(events) == data


def merged_in_order(events: _Events) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for event in events:
        found |= event["patch"]
    return found


async def test_a_key_whose_worker_died_is_soon_free_and_makes_one_session(stack: Stack) -> None:
    headers = {"authorization": f"Bearer {stack.token(ALICE)}", "idempotency-key": secrets.token_hex(8)}
    mark = secrets.token_hex(8)

    async with httpx.AsyncClient(base_url=stack.http, headers=headers, timeout=30) as api:

        async def create() -> httpx.Response:
            while (answer := await api.post("/sessions", json={"data": {"mark": mark}})).status_code != 201:
                await asyncio.sleep(0.2)
            return answer

        creating = [asyncio.create_task(create()) for _ in range(8)]
        for _ in range(3):
            kill(stack, "session")
            await asyncio.sleep(0.05)
        async with asyncio.timeout(20):
            answers = [await task for task in creating]
        assert len({answer.text for answer in answers}) == 1
        listed = (await api.get("/sessions", params={"limit": 200})).json()["items"]
        assert [item["data"] for item in listed].count({"mark": mark}) == 1
        refused = await api.post("/sessions", json={"data": {"mark": "other"}})
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency-mismatch")
