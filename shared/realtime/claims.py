"""A claim as frames: what each connection gets of a batch of log entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import TokenExpired, UnrecoverablePosition
from shared.realtime.namespaces import namespace_of, thing_of
from shared.realtime.protocol import (
    FRAME_BYTES,
    entry_push,
    error_reply,
    packed,
    publication,
    quoted,
    unsubscribe_push,
)
from shared.realtime.sender import Outcome

_Position = tuple[int, int]
# Of what a later version of the code puts into a log, clients are not told.
_PUBLICATIONS = frozenset({"pub", "msg"})
_ALL = _PUBLICATIONS | {"join", "leave"}


@dataclass(frozen=True)
class _Entry:
    position: _Position
    kind: str
    body: str


@dataclass
class Served:
    """One connection of a claim: the frames it gets, and what the lane must know afterwards."""

    connection: str
    membership: str
    frames: Sequence[bytes]
    on_delivery: str
    outcome: Outcome = Outcome.DELIVERED
    """Until it is known: where nothing is to be sent, nothing can go wrong; UNKNOWN has the connection closed."""

    @property
    def is_closed(self) -> bool:
        """It may or may not have got something, or takes nothing: it must come back recovering."""
        return self.outcome in (Outcome.UNKNOWN, Outcome.SLOW)

    def change(self, *, all_served: bool) -> str:
        """`live`, `drop` or nothing, for the advance script; who was served before others has a place of his own."""
        if self.outcome is Outcome.GONE or self.is_closed:
            return "drop"
        if self.outcome is not Outcome.DELIVERED:
            return ""
        return self.on_delivery if all_served else self.on_delivery or "live"


class Claim:
    """What a script answered: epoch, the id up to which it reaches, entries and targets (lua/channel.lua)."""

    def __init__(self, channel: str, raw: Sequence[Any]) -> None:
        self.epoch, self.hi, entries, targets = raw
        self._channel = channel
        self._options = namespace_of(channel)
        # A client cannot subscribe to it again: 2500 would silence it for good.
        self._personal = thing_of(channel, "user") is not None
        self._entries = [
            _Entry(_position(entries[i]), entries[i + 1], entries[i + 2]) for i in range(0, len(entries), 3)
        ]
        self._shared: dict[tuple[_Position, bool], list[bytes]] = {}
        self.served = [self._serve(*target) for target in targets]

    def _serve(self, connection: str, membership: str, what: str, *rest: str) -> Served:
        if what == "close" or (self._personal and what.endswith("2500")):
            return Served(connection, membership, (), "drop", Outcome.UNKNOWN)
        if what == "withheld":
            return Served(connection, membership, (), "drop")
        if what == "2500":
            return Served(connection, membership, [self._insufficient_state()], "drop")
        if what == "2000":
            push = unsubscribe_push(self._channel, 2000, "server unsubscribe")
            return Served(connection, membership, [push.encode()], "drop")
        if what == "2501":
            push = unsubscribe_push(self._channel, 2501, "subscription expired")
            return Served(connection, membership, [push.encode()], "drop")
        if what == "expired":
            refusal = error_reply(_command(membership), TokenExpired("the subscription token has expired"))
            return Served(connection, membership, [refusal.encode()], "drop")
        if what == "live":
            start, wants_joins = rest
            return Served(connection, membership, self._after(_position(start), wants_joins == "1"), "")
        return self._joining(connection, membership, what, *rest)

    def _joining(self, connection: str, membership: str, what: str, *rest: str) -> Served:
        kind, epoch, at, recovered, want_offset, _, extra, wants_joins = rest
        position = _position(at)
        if kind == "g" and want_offset and recovered != "1":
            return Served(
                connection, membership, [error_reply(_command(membership), UnrecoverablePosition()).encode()], "drop"
            )
        missed = self._missed(int(want_offset), position) if recovered == "1" else []
        # SDKs look for what was missed in replies only: a push tells where it begins, and others bring it.
        is_push = kind == "p"
        fitting, overflow = ((), missed) if is_push else _fit(missed)
        begins = int(want_offset) if is_push and missed else position[0]
        result = self._subscription(epoch, begins, recovered == "1", want_offset != "", fitting)
        frames = [
            self._reply(kind, _command(membership), result, extra),
            *packed(self._push(entry) for entry in overflow),
        ]
        if what == "reply+2500":
            return Served(connection, membership, [*frames, self._insufficient_state()], "drop")
        frames.extend(self._after(position, wants_joins == "1"))
        return Served(connection, membership, frames, "live")

    def _missed(self, want: int, at: _Position) -> list[_Entry]:
        return [e for e in self._entries if e.kind == "pub" and (want, 0) < e.position <= at]

    def _after(self, start: _Position, wants_joins: bool) -> list[bytes]:
        if (start, wants_joins) not in self._shared:
            hi = _position(self.hi)
            chosen = (
                self._push(entry)
                for entry in self._entries
                if start < entry.position <= hi and entry.kind in (_ALL if wants_joins else _PUBLICATIONS)
            )
            self._shared[start, wants_joins] = list(packed(chosen))
        return self._shared[start, wants_joins]

    def _subscription(
        self, epoch: str, offset: int, recovered: bool, was_recovering: bool, missed: Sequence[_Entry]
    ) -> str:
        if not self._options.recoverable:
            return ""
        parts = ['"recoverable":true,"positioned":true', f'"epoch":"{epoch}"', f'"offset":{offset}']
        if was_recovering:
            parts.append('"was_recovering":true')
        if recovered:
            parts.append('"recovered":true')
        if missed:
            found = ",".join(publication(entry.position[0], entry.body) for entry in missed)
            parts.append(f'"publications":[{found}]')
        return ",".join(parts)

    def _reply(self, kind: str, cmd: int, subscription: str, extra: str) -> bytes:
        if kind == "c":
            subs = f'"subs":{{{quoted(self._channel)}:{{{subscription}}}}}'
            return f'{{"id":{cmd},"connect":{{{extra},{subs}}}}}'.encode()
        members = ",".join(part for part in (extra, subscription) if part)
        if kind == "p":
            return f'{{"push":{{"channel":{quoted(self._channel)},"subscribe":{{{members}}}}}}}'.encode()
        return f'{{"id":{cmd},"subscribe":{{{members}}}}}'.encode()

    def _push(self, entry: _Entry) -> str:
        return entry_push(self._channel, entry.kind, entry.position[0], entry.body)

    def _insufficient_state(self) -> bytes:
        return unsubscribe_push(self._channel, 2500, "insufficient state").encode()


def withheld(raw: Any, connection: str) -> Any:
    """The claim as a script answered it, with nothing in it for this connection, whose membership ends."""
    if not isinstance(raw, list):
        return raw
    *rest, last = raw
    return [*rest, [[*target[:2], "withheld"] if target[0] == connection else target for target in last]]


def _command(membership: str) -> int:
    """The client's command, for which it was made (lua/member.lua)."""
    return int(membership.partition(" ")[0])


def _position(text: str) -> _Position:
    offset, _, n = text.partition("-")
    return int(offset), int(n)


def _fit(entries: Sequence[_Entry]) -> tuple[Sequence[_Entry], Sequence[_Entry]]:
    """Those that fit one reply, and the rest."""
    size = 0
    for i, entry in enumerate(entries):
        size += len(entry.body.encode()) + 40
        if size > FRAME_BYTES:
            return entries[:i], entries[i:]
    return entries, ()
