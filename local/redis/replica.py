"""Reads that lag behind: a real replica, frozen at a moment, as any replica of Upstash may seem to be."""

import asyncio
import time
from typing import Self
from urllib.parse import urlsplit

from local.redis.engine import Engine
from local.redis.link import LinkPool
from local.redis.resp import Reply
from local.redis.scripts import Command
from local.redis.valkey import START_TIMEOUT_S, AsyncValkeyServer, ValkeyError


class FrozenReplica:
    """A copy of the primary as it was when `of` returned; `engine` reads from it."""

    def __init__(self, primary: str, engine: Engine) -> None:
        self._primary = urlsplit(primary)
        self._server = AsyncValkeyServer()
        self._pool: LinkPool | None = None
        self.engine = engine

    @classmethod
    async def of(cls, primary: str, engine: Engine) -> Self:
        """Copies all data of the server at `primary` (no password), which `engine` serves."""
        replica = cls(primary, engine)
        await replica._server.start()
        try:
            await replica._copy()
        except BaseException:
            await replica.stop()
            raise
        replica._pool = LinkPool(replica._server.url, "frozen-replica")
        replica.engine = engine.on(replica._pool)
        return replica

    async def stop(self) -> None:
        if self._pool is not None:
            await self._pool.close()
        await self._server.stop()

    async def _copy(self) -> None:
        host, port = self._primary.hostname or "127.0.0.1", str(self._primary.port or 6379)
        await self._run("REPLICAOF", host, port)
        deadline = time.monotonic() + START_TIMEOUT_S
        while b"master_link_status:up" not in _text(await self._run("INFO", "replication")):
            if time.monotonic() > deadline:
                raise ValkeyError("the replica did not catch up with its primary")
            await asyncio.sleep(0.01)
        await self._run("REPLICAOF", "NO", "ONE")

    async def _run(self, *arguments: str) -> Reply:
        return await asyncio.to_thread(self._server.command, *arguments)


class Freshness:
    """Upstash's sync tokens: which writes a caller has seen, so that its reads never go behind them."""

    def __init__(self) -> None:
        self._writes = 0
        self._read_only: frozenset[bytes] = frozenset()

    @property
    def writes(self) -> int:
        return self._writes

    async def learn(self, engine: Engine) -> None:
        """Ask the server which commands only read."""
        if not self._read_only:
            self._read_only = await engine.read_only_commands()

    def only_reads(self, commands: list[Command]) -> bool:
        return all(command[0].lower() in self._read_only for command in commands)

    def note(self, commands: list[Command]) -> None:
        """Count what advances the token: every write, but (as on Upstash) not SCRIPT LOAD."""
        if not all(c[0].lower() in self._read_only or c[0].lower() == b"script" for c in commands):
            self._writes += 1

    def token(self, seen: int) -> str:
        return f"local={seen}"

    def seen(self, token: str) -> int:
        """0 for no token, or one that is not ours."""
        number = token.removeprefix("local=")
        return int(number) if number.isdecimal() else 0


def _text(reply: Reply) -> bytes:
    return reply if isinstance(reply, bytes) else b""
