"""Upstash's `allow-key-locking` script flag, which Valkey rejects: taken out, but its promise is enforced."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from local.redis.report import with_counts

KEY_LOCKING = b"allow-key-locking"
SCRIPT_CALLS = frozenset({b"EVAL", b"EVAL_RO", b"EVALSHA", b"EVALSHA_RO"})

Command: TypeAlias = Sequence[bytes]


@dataclass(frozen=True)
class Prepared:
    """A command as Valkey takes it.

    `only_keys` is what a key-locking script may touch (its KEYS), None for every other command;
    `loads` is the digest the client must see as the reply of SCRIPT LOAD, `reports` the sections that INFO asks for.
    """

    command: Command
    only_keys: tuple[bytes, ...] | None = None
    loads: bytes | None = None
    reports: Command | None = None


def without_key_locking(script: bytes) -> tuple[bytes, bool]:
    """The script Valkey accepts, and whether its first line declared the flag.

    Only a shebang on the very first byte counts, as on Upstash.
    """
    line, newline, body = script.partition(b"\n")
    if not line.startswith(b"#!lua") or KEY_LOCKING not in line:
        return script, False
    words = []
    for word in line.split():
        name, equals, flags = word.partition(b"=")
        if name == b"flags" and equals:
            kept = [flag for flag in flags.split(b",") if flag != KEY_LOCKING]
            word = b"flags=" + b",".join(kept) if kept else b""
        words.append(word)
    return b" ".join(filter(None, words)) + newline + body, True


class ScriptBook:
    """Knows every flagged script that passed, by the digest its sender computes."""

    def __init__(self) -> None:
        self._stripped: dict[bytes, bytes] = {}

    def prepare(self, command: Command) -> Prepared:
        name = command[0].upper()
        if name in SCRIPT_CALLS and len(command) >= 3:
            return self._call(name, command)
        if name == b"SCRIPT" and len(command) >= 2:
            return self._script(command)
        if name == b"INFO":
            return Prepared([command[0], *with_counts(command[1:])], reports=command[1:])
        return Prepared(command)

    def _call(self, name: bytes, command: Command) -> Prepared:
        if name.startswith(b"EVALSHA"):
            digest = command[1].lower()
            replaced, flagged = self._stripped.get(digest, digest), digest in self._stripped
        else:
            replaced, flagged = self._learn(command[1])
        return Prepared([command[0], replaced, *command[2:]], _declared_keys(command) if flagged else None)

    def _script(self, command: Command) -> Prepared:
        verb = command[1].upper()
        if verb == b"LOAD" and len(command) == 3:
            stripped, _ = self._learn(command[2])
            return Prepared([*command[:2], stripped], loads=_digest(command[2]))
        if verb == b"EXISTS":
            return Prepared([*command[:2], *(self._stripped.get(d.lower(), d) for d in command[2:])])
        if verb == b"FLUSH":
            self._stripped.clear()
        return Prepared(command)

    def _learn(self, script: bytes) -> tuple[bytes, bool]:
        stripped, flagged = without_key_locking(script)
        if flagged:
            self._stripped[_digest(script)] = _digest(stripped)
        return stripped, flagged


def _declared_keys(command: Command) -> tuple[bytes, ...] | None:
    """None when the key count is nonsense: Valkey then answers with the right error itself."""
    try:
        count = int(command[2])
    except ValueError:
        return None
    return tuple(command[3 : 3 + count]) if 0 <= count <= len(command) - 3 else None


def _digest(script: bytes) -> bytes:
    return hashlib.sha1(script, usedforsecurity=False).hexdigest().encode()
