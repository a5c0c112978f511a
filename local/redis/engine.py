"""Executes what REST requests ask for on Valkey, by Upstash's rules: refusals, key locking, transactions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from local.redis.link import ALL_KEYS, Link, LinkLost, LinkPool
from local.redis.refusals import MAX_KEY_BYTES, answer_without_executing, refusal
from local.redis.report import without_ours
from local.redis.resp import Failure, Reply
from local.redis.scripts import Command, Prepared, ScriptBook

_DENIED = b"No permissions to access a key"


class Discarded(Exception):
    """A transaction that executed nothing; the text is the whole answer's `error`."""


@dataclass
class _Wire:
    """What goes over the connection for some client commands, and which replies are theirs."""

    commands: list[Command] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)

    def add(self, command: Command, owner: int = -1) -> None:
        self.commands.append(command)
        self.owners.append(owner)

    def replies_of(self, replies: Sequence[Reply]) -> dict[int, Reply]:
        paired = list(zip(self.owners, replies, strict=True))
        for owner, reply in paired:
            if owner < 0 and isinstance(reply, Failure):
                raise LinkLost(f"permissions could not be narrowed: {reply.text}")
        return {owner: reply for owner, reply in paired if owner >= 0}


class Engine:
    """One per gateway: the connections, and the scripts seen so far."""

    def __init__(self, pool: LinkPool, scripts: ScriptBook | None = None) -> None:
        self.pool = pool
        self._scripts = scripts or ScriptBook()

    def on(self, pool: LinkPool) -> "Engine":
        """The same gateway's engine for another server: scripts that passed here are known there."""
        return Engine(pool, self._scripts)

    async def read_only_commands(self) -> frozenset[bytes]:
        """Lower-case names of the commands the server flags as reading only."""
        async with self.pool.link() as link:
            table = (await link.run([[b"COMMAND"]]))[0]
        names = set()
        for entry in table if isinstance(table, list) else ():
            if isinstance(entry, list) and isinstance(entry[2], list) and b"readonly" in entry[2]:
                names.add(entry[0])
        return frozenset(name for name in names if isinstance(name, bytes))

    async def run(self, commands: Sequence[Command]) -> list[Reply]:
        """Replies in the order of `commands`; refused and failing ones are `Failure` values."""
        async with self.pool.link() as link:
            ready: dict[int, Reply] = {}
            wire = _Wire()
            prepared = [self._scripts.prepare(command) for command in commands]
            for index, command in enumerate(commands):
                answer = await self._answer_itself(link, command)
                if answer is not None:
                    ready[index] = answer
                else:
                    self._add(link, wire, prepared[index], index)
            ready |= wire.replies_of(await link.run(wire.commands))
            return [await self._as_upstash(link, prepared[i], ready[i]) for i in range(len(commands))]

    async def transact(self, commands: Sequence[Command]) -> list[Reply]:
        """MULTI, the commands, EXEC; `Discarded` when Redis or Upstash would execute none of them."""
        async with self.pool.link() as link:
            for command in commands:
                if error := refusal(command) or await _oversized_key(link, command):
                    raise Discarded(error.text)
            prepared = [self._scripts.prepare(command) for command in commands]
            await link.run(link.restrict(ALL_KEYS))
            wire = _Wire()
            wire.add([b"MULTI"])
            for index, item in enumerate(prepared):
                self._add(link, wire, item, index)
            for command in link.restrict(ALL_KEYS):
                wire.add(command)
            wire.add([b"EXEC"])
            replies = await link.run(wire.commands)
            return await self._executed(link, wire, prepared, replies)

    async def _executed(
        self, link: Link, wire: _Wire, prepared: Sequence[Prepared], replies: Sequence[Reply]
    ) -> list[Reply]:
        outcome = replies[-1]
        if not isinstance(outcome, list):
            cause = next((reply for reply in replies if isinstance(reply, Failure)), Failure(b"EXECABORT"))
            raise Discarded(cause.text)
        inner = _Wire(wire.commands[1:-1], wire.owners[1:-1]).replies_of(outcome)
        return [await self._as_upstash(link, prepared[i], inner[i]) for i in range(len(prepared))]

    def _add(self, link: Link, wire: _Wire, prepared: Prepared, owner: int) -> None:
        for command in link.restrict(prepared.only_keys):
            wire.add(command)
        wire.add(prepared.command, owner)

    async def _answer_itself(self, link: Link, command: Command) -> Reply:
        answer = refusal(command) or answer_without_executing(command)
        return answer if answer is not None else await _oversized_key(link, command)

    async def _as_upstash(self, link: Link, prepared: Prepared, reply: Reply) -> Reply:
        if isinstance(reply, Failure):
            if prepared.only_keys is not None and _DENIED in bytes(reply):
                return _dynamic_key(await link.denied_key())
            return reply
        if prepared.loads is not None:
            return prepared.loads
        if prepared.reports is not None and isinstance(reply, bytes):
            return without_ours(reply, prepared.reports)
        return reply


async def _oversized_key(link: Link, command: Command) -> Failure | None:
    if all(len(argument) <= MAX_KEY_BYTES for argument in command[1:]):
        return None
    keys = (await link.run([[b"COMMAND", b"GETKEYS", *command]]))[0]
    for key in keys if isinstance(keys, list) else ():
        if isinstance(key, bytes) and len(key) > MAX_KEY_BYTES:
            return Failure(b"ERR max key size exceeded. Limit: %d bytes, Actual: %d bytes" % (MAX_KEY_BYTES, len(key)))
    return None


def _dynamic_key(key: bytes | None) -> Failure:
    return Failure(
        b"ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: "
        + (key if key is not None else b"unknown")
    )
