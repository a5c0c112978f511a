"""A client so light that many fit one process: it subscribes, comes back, and writes down what arrives."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

_REPLY_S = 12.0
_CONNECT, _SUBSCRIBE = 1, 2


class _ComeBack(Exception):
    """This socket is of no more use; the next one recovers."""


@dataclass
class Listener:
    """`offsets` and `data` in the order of arrival on all its sockets; `lost`: how often it was told of a loss."""

    url: str
    token: str
    channel: str
    offsets: list[int] = field(default_factory=list)
    data: list[Any] = field(default_factory=list)
    lost: int = 0
    told_2500: int = 0
    refusals: list[dict[str, Any]] = field(default_factory=list)
    """Errors that publications were answered with, and what the gateway says when a function failed."""
    ends: list[int] = field(default_factory=list)
    sockets: int = 0
    join_leave: bool = False
    comes_back: bool = True
    joined: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    client: str = ""

    def __post_init__(self) -> None:
        self.subscribed = asyncio.Event()
        self._position: dict[str, Any] = {}
        self._ids = itertools.count(3)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._socket: ClientConnection | None = None
        self._answered: set[int] = set()

    async def run(self) -> None:
        """Until it is cancelled, or its socket ends and it does not come back."""
        while self.comes_back or not self.sockets:
            with suppress(ConnectionClosed, InvalidHandshake, TimeoutError, OSError, _ComeBack):
                await self._one_socket()
            self.subscribed.clear()
            await asyncio.sleep(0.1)

    async def publish(self, data: Any, within_s: float) -> bool:
        """Whether it was acknowledged."""
        await self.subscribed.wait()
        assert self._socket is not None
        command_id = next(self._ids)
        answer = self._waiting[command_id] = asyncio.get_running_loop().create_future()
        try:
            await self.send({"id": command_id, "publish": {"channel": self.channel, "data": data}})
            answered = await asyncio.wait_for(answer, within_s)
            if "error" in answered:
                self.refusals.append(answered)
            return "error" not in answered
        except (TimeoutError, ConnectionClosed):
            return False
        finally:
            self._waiting.pop(command_id, None)

    async def answered(self, command_ids: Iterable[int]) -> None:
        """Returns when each of these commands has its reply."""
        missing = set(command_ids)
        async with asyncio.timeout(_REPLY_S):
            while not missing <= self._answered:
                await asyncio.sleep(0.02)

    def break_off(self) -> None:
        """As a network does: without a word."""
        assert self._socket is not None
        self._socket.transport.abort()

    @property
    def duplicates(self) -> int:
        return len(self.offsets) - len(set(self.offsets))

    @property
    def batches_sent_again(self) -> int:
        return sum(after <= before for before, after in itertools.pairwise(self.offsets))

    async def _one_socket(self) -> None:
        options: dict[str, Any] = {"compression": None, "ping_interval": None, "max_size": None, "proxy": None}
        async with connect(self.url, open_timeout=30, close_timeout=1, **options) as self._socket:
            self.sockets += 1
            subscribe = {"channel": self.channel, "join_leave": self.join_leave, **self._position}
            await self.send(
                {"id": _CONNECT, "connect": {"token": self.token}}, {"id": _SUBSCRIBE, "subscribe": subscribe}
            )
            async with asyncio.timeout(_REPLY_S):
                while not self.subscribed.is_set():
                    self._take(await self._socket.recv())
            async for text in self._socket:
                self._take(text)

    async def send(self, *commands: dict[str, Any]) -> None:
        """In one frame."""
        assert self._socket is not None
        await self._socket.send("\n".join(map(json.dumps, commands)))

    def _take(self, text: str | bytes) -> None:
        for line in text.splitlines():
            frame = json.loads(line)
            self._pushed(frame["push"]) if "push" in frame else self._replied(frame)

    def _replied(self, reply: dict[str, Any]) -> None:
        if "requestId" in reply:
            self.refusals.append(reply)
        self._answered.add(reply.get("id", 0))
        waiting = self._waiting.get(reply.get("id", 0))
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)
        elif "error" in reply:
            raise _ComeBack
        elif "connect" in reply:
            self.client = reply["connect"]["client"]
        # A successor of a dead drainer repeats the reply; whoever had it already goes on.
        elif "subscribe" in reply and not self.subscribed.is_set():
            self._joined(reply["subscribe"])

    def _joined(self, answer: dict[str, Any]) -> None:
        recovered = answer.get("recovered", False)
        if self._position and not recovered:
            self.lost += 1
        self._position = {"recover": True, "epoch": answer["epoch"], "offset": self._position.get("offset", 0)}
        if not recovered:
            self._position["offset"] = answer["offset"]
        self._hear(answer.get("publications", []))
        self.subscribed.set()

    def _pushed(self, push: dict[str, Any]) -> None:
        if "disconnect" in push:
            self.ends.append(push["disconnect"]["code"])
            raise _ComeBack
        if push.get("channel") != self.channel:
            return
        if "pub" in push:
            self._hear([push["pub"]])
        elif "join" in push:
            self.joined.append(push["join"]["info"]["client"])
        elif "leave" in push:
            self.left.append(push["leave"]["info"]["client"])
        elif "unsubscribe" in push:
            self.told_2500 += 1
            raise _ComeBack

    def _hear(self, publications: Sequence[dict[str, Any]]) -> None:
        for publication in publications:
            self.offsets.append(publication["offset"])
            self.data.append(publication["data"])
            self._position["offset"] = max(self._position["offset"], publication["offset"])


@asynccontextmanager
async def listening(listeners: Sequence[Listener], at_once: int = 1_000) -> AsyncIterator[list[asyncio.Task[None]]]:
    """All of them subscribed, so many `at_once` on their way in; their tasks."""
    running: list[asyncio.Task[None]] = []
    doors = asyncio.Semaphore(at_once)

    async def come_in(listener: Listener) -> None:
        async with doors:
            running.append(asyncio.create_task(listener.run()))
            await listener.subscribed.wait()

    try:
        patience = 60 + len(listeners) / 20
        await asyncio.wait_for(asyncio.gather(*map(come_in, listeners)), patience)
        yield running
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def arrived(listeners: Sequence[Listener], offset: int, within_s: float) -> None:
    """Returns when all have seen the offset, or when time is up: the assertions will tell."""
    until = time.monotonic() + within_s
    while time.monotonic() < until and any(offset not in one.offsets[-200:] for one in listeners):
        await asyncio.sleep(0.02)
