"""Valkey and its REST gateway for synchronous code: tests, notebooks, scripts."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from local.redis.faults import Faults
from local.redis.rest import UpstashGateway
from local.redis.valkey import ValkeyServer

# Neither billed by Upstash nor sent by its users: connection set-up, inspection, and the gateway's own work.
_UNCOUNTED = frozenset(
    {
        "acl",
        "auth",
        "client",
        "command",
        "config",
        "exec",
        "hello",
        "info",
        "latency",
        "multi",
        "ping",
        "psync",
    }
    | {"quit", "replconf", "replicaof", "select"}
)


@dataclass
class Cost:
    """What happened inside a `counting()` block; filled in when the block ends."""

    commands: int = 0
    round_trips: int = 0


class ThreadedUpstash:
    """A private Valkey plus a gateway in a thread, as a context manager; its thread must outlive it."""

    def __init__(self, token: str = "local-token") -> None:  # noqa: S107 (guards a loopback test server)
        self._valkey = ValkeyServer()
        self._token = token
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="upstash-gateway", daemon=True)
        self._gateway: UpstashGateway | None = None

    @property
    def gateway(self) -> UpstashGateway:
        if self._gateway is None:
            raise RuntimeError("not started: use it as a context manager")
        return self._gateway

    @property
    def rest_url(self) -> str:
        return self.gateway.url

    @property
    def token(self) -> str:
        return self._token

    @property
    def redis_url(self) -> str:
        return self._valkey.url

    @property
    def round_trips(self) -> int:
        """HTTP requests so far."""
        return self.gateway.round_trips

    def commands(self) -> int:
        """Commands that Valkey has executed for its users so far, those inside Lua included.

        Counts every connection to the server, so also what `redis_direct` sends; see `executed`.
        """
        return sum(self.executed().values())

    def executed(self) -> dict[str, int]:
        """The same by command (`"hset"`, `"script|load"`), for finding out where a cost comes from."""
        report = self._valkey.command("INFO", "commandstats")
        if not isinstance(report, bytes):
            raise RuntimeError(f"INFO failed: {report!r}")
        counts: dict[str, int] = {}
        for line in report.decode().splitlines():
            if not line.startswith("cmdstat_"):
                continue
            name, _, numbers = line.removeprefix("cmdstat_").partition(":")
            if name.partition("|")[0] not in _UNCOUNTED:
                counts[name] = int(numbers.partition("calls=")[2].partition(",")[0])
        return counts

    @property
    def faults(self) -> Faults:
        """Errors, hangs and losses to inject; `faults.clear()` afterwards."""
        return self.gateway.faults

    @contextlib.contextmanager
    def stale_reads(self) -> Iterator[None]:
        """Inside, reads without a sync token (or with an old one) see the data as it was at the start."""
        self._run(self.gateway.freeze())
        try:
            yield
        finally:
            self._run(self.gateway.thaw())

    @contextlib.contextmanager
    def counting(self) -> Iterator[Cost]:
        """`with upstash.counting() as cost: …`, then `cost.commands` and `cost.round_trips`."""
        commands, round_trips = self.commands(), self.round_trips
        cost = Cost()
        yield cost
        cost.commands = self.commands() - commands
        cost.round_trips = self.round_trips - round_trips

    def __enter__(self) -> Self:
        self._valkey.start()
        self._thread.start()
        try:
            self._run(self._start())
        except BaseException:
            self._valkey.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._run(self.gateway.stop())
        asyncio.run_coroutine_threadsafe(self._loop.shutdown_default_executor(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._valkey.stop()

    def _run(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _start(self) -> None:
        self._gateway = UpstashGateway(self._valkey.url, self._token)
        await self._gateway.start()
