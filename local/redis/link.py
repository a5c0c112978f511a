"""Connections to Valkey: one HTTP request owns one, so that a transaction disturbs no other request."""

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from urllib.parse import unquote, urlsplit

from local.redis.resp import Failure, Reply, ReplyParser, encode_command
from local.redis.scripts import Command

MAX_LINKS = 64
# Unknown to the protocol version Upstash has (Redis 8.2): code that runs here must run there.
VALKEY_ONLY = (b"delifeq", b"msetex")
FORBIDDEN_TO_LOCKING_SCRIPTS = (b"flushall", b"flushdb")
_GLOB = re.compile(rb"[*?\[\]\\^]")
_SPACE = re.compile(rb"[\s\0]")

ALL_KEYS: tuple[bytes, ...] | None = None


class LinkLost(Exception):
    """The connection to Valkey broke with replies outstanding."""


class Link(asyncio.Protocol):
    """One connection, logged in as a Valkey user of its own so that its key permissions can be narrowed."""

    def __init__(self, user: bytes) -> None:
        self.user = user
        self.restricted_to: tuple[bytes, ...] | None = ALL_KEYS
        self.on_push: Callable[[Reply], None] | None = None
        self.on_lost: Callable[[], None] | None = None
        self.alive = False
        self._parser = ReplyParser()
        self._replies: list[Reply] = []
        self._expected = 0
        self._waiting: asyncio.Future[list[Reply]] | None = None
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 (narrows asyncio's own type)
        self._transport = transport
        self.alive = True

    def data_received(self, data: bytes) -> None:
        replies = self._parser.feed(data)
        if self.on_push:
            for reply in replies:
                self.on_push(reply)
            return
        self._replies += replies
        if self._waiting and len(self._replies) >= self._expected and not self._waiting.done():
            self._waiting.set_result(self._replies)

    def connection_lost(self, error: Exception | None) -> None:
        self.alive = False
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(LinkLost("Valkey closed the connection"))
        if self.on_lost:
            self.on_lost()

    async def run(self, commands: Sequence[Command]) -> list[Reply]:
        """Send all in one write; one reply for each, errors as `Failure` values."""
        if not commands:
            return []
        self._replies = []
        self._expected = len(commands)
        self._waiting = asyncio.get_running_loop().create_future()
        self.send(commands)
        try:
            return await self._waiting
        except asyncio.CancelledError:
            self.close()
            raise

    def send(self, commands: Sequence[Command]) -> None:
        if self._transport is None or not self.alive:
            raise LinkLost("not connected to Valkey")
        self._transport.write(b"".join(map(encode_command, commands)))

    def close(self) -> None:
        self.alive = False
        if self._transport is not None:
            self._transport.close()

    def restrict(self, keys: tuple[bytes, ...] | None) -> list[Command]:
        """The commands (none if nothing changes) that let this connection touch `keys` only, or all keys."""
        if keys == self.restricted_to:
            return []
        self.restricted_to = keys
        if keys is None:
            allowed = [b"+" + name for name in FORBIDDEN_TO_LOCKING_SCRIPTS]
            return [[b"ACL", b"SETUSER", self.user, b"allkeys", *allowed]]
        denied = [b"-" + name for name in FORBIDDEN_TO_LOCKING_SCRIPTS]
        patterns = [b"~" + _literal_pattern(key) for key in keys]
        return [[b"ACL", b"SETUSER", self.user, b"resetkeys", *denied, *patterns]]

    async def denied_key(self) -> bytes | None:
        """The key in Valkey's newest access-denied record of this connection's user."""
        log = (await self.run([[b"ACL", b"LOG", b"32"]]))[0]
        for fields in log if isinstance(log, list) else ():
            record = _record(fields)
            if record.get(b"username") == self.user and record.get(b"reason") == b"key":
                key = record.get(b"object")
                return key if isinstance(key, bytes) else None
        return None


def _record(fields: Reply) -> dict[bytes, Reply]:
    """A flat `[name, value, …]` reply."""
    flat = fields if isinstance(fields, list) else []
    return {name: value for name, value in zip(flat[::2], flat[1::2], strict=False) if isinstance(name, bytes)}


def _literal_pattern(key: bytes) -> bytes:
    """A glob that matches this key only (ACL rules cannot spell white space: there `?` stands for one)."""
    return _SPACE.sub(b"?", _GLOB.sub(lambda found: b"\\" + found[0], key))


class LinkPool:
    """Up to `MAX_LINKS` connections to one server, most recently used first.

    `address`: `redis://[user:password@]host:port`, for a server on this machine (no TLS).
    """

    def __init__(self, address: str, name: str) -> None:
        if not address.startswith("redis://"):
            raise ValueError(f"a redis:// address is needed, not {address}")
        self._address = address
        self._idle: list[Link] = []
        self._users = [f"{name}-{number}".encode() for number in reversed(range(MAX_LINKS))]
        self._free_users = list(self._users)
        self._slots = asyncio.Semaphore(MAX_LINKS)
        self._open: set[Link] = set()

    @contextlib.asynccontextmanager
    async def link(self) -> AsyncIterator[Link]:
        async with self._slots:
            link = await self._take()
            try:
                yield link
            except LinkLost:
                link.close()
                raise
            finally:
                self._give_back(link)

    async def close(self) -> None:
        """Ends every connection and leaves no user behind on the server, if it is still there."""
        for link in list(self._open):
            link.close()
        with contextlib.suppress(LinkLost, OSError):
            link = await self._connect(b"")
            await link.run([[b"ACL", b"DELUSER", *self._users]])
            link.close()

    async def _take(self) -> Link:
        while self._idle:
            link = self._idle.pop()
            if link.alive:
                return link
            self._discard(link)
        user = self._free_users.pop()
        try:
            link = await self._connect(user)
            await self._become(link)
        except BaseException:
            self._free_users.append(user)
            raise
        self._open.add(link)
        return link

    def _give_back(self, link: Link) -> None:
        if link.alive and not link.on_push:
            self._idle.append(link)
        else:
            link.close()
            self._discard(link)

    def _discard(self, link: Link) -> None:
        self._open.discard(link)
        self._free_users.append(link.user)

    async def _connect(self, user: bytes) -> Link:
        """As the user the address names: with all permissions."""
        url = urlsplit(self._address)
        loop = asyncio.get_running_loop()
        where = (url.hostname or "127.0.0.1", url.port or 6379)
        _, link = await loop.create_connection(lambda: Link(user), *where)
        if url.password:
            names = [unquote(part).encode() for part in (url.username, url.password) if part]
            await _succeed(link, [b"AUTH", *names])
        return link

    async def _become(self, link: Link) -> None:
        """From its own user on, a link's permissions concern nobody else."""
        secret = secrets.token_hex(16).encode()
        rules = [b"reset", b"on", b">" + secret, b"+@all", b"allkeys", b"allchannels"]
        await _succeed(link, [b"ACL", b"SETUSER", link.user, *rules])
        await link.run([[b"ACL", b"SETUSER", link.user, b"-" + name] for name in VALKEY_ONLY])
        await _succeed(link, [b"AUTH", link.user, secret])


async def _succeed(link: Link, command: Command) -> None:
    reply = (await link.run([command]))[0]
    if isinstance(reply, Failure):
        link.close()
        raise LinkLost(f"Valkey refused the gateway: {reply.text}")
