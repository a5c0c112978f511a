"""What DESIGN §6 promises, as something that watches: the log as it grew, and each client's story held against it."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import redis

from shared.realtime.delivery import channel_keys, lane_key
from shared.tenant.scope import TenantScope

_T = TypeVar("_T")


class Broken(AssertionError):
    """A promise is not kept."""


class Position(NamedTuple):
    """Where a client stands, as SDKs keep it."""

    epoch: str
    offset: int


class Heard(NamedTuple):
    """One entry as a client gets it: a publication's offset and value, or who came or went."""

    kind: str
    offset: int
    what: Any


@dataclass
class Entry:
    """One entry of the log, and whether a fault has taken it out again."""

    offset: int
    n: int
    heard: Heard
    lost: bool = False


@dataclass(frozen=True)
class Member:
    """What stands in a lane for a connection."""

    joining: bool
    listens: bool
    user: str


class Truth:
    """One channel's log and members, read after each script that touched it."""

    def __init__(self, server: "redis.Redis", scope: TenantScope, channel: str) -> None:
        self.channel = channel
        self.epoch = ""
        self.logs: dict[str, list[Entry]] = {}
        self.members: dict[str, Member] = {}
        self.awaited: dict[str, Member] = {}
        """Those who were asked to come again, by the connection that they had."""
        self.lanes = 1
        self.removed = 0
        """Up to this offset the history was removed on purpose."""
        self.damaged = False
        """The log lost something, or its history ended: not everything can be recovered."""
        self._server: Any = server
        self._scope = scope
        self._keys = {name: str(key) for name, key in channel_keys(scope, channel).items()}

    @property
    def key(self) -> str:
        return self._keys["channel"]

    @property
    def log_key(self) -> str:
        return self._keys["log"]

    def lane_keys(self) -> list[str]:
        return [str(lane_key(self._scope, self.channel, number)) for number in range(1, self.lanes + 1)]

    def look(self) -> None:
        """After a script: what it appended follows what was there, and tells of exactly those who came and went."""
        last = self.logs.get(self.epoch, [])[-1:]
        after = f"({last[0].offset}-{last[0].n}" if last else "-"
        held, found = self._server.pipeline(False).hgetall(self.key).xrange(self.log_key, after).execute()
        if "e" not in held:
            return
        self.lanes, single = int(held.get("l", 1)), held.get("l", "1") == "1"
        if held["e"] != self.epoch:
            self.epoch = held["e"]
            self.logs[self.epoch] = []
            found = self._server.xrange(self.log_key)
        self.removed = int(held.get("hr", 0))
        appended = [_entry(*one) for one in found]
        log = self.logs.get(self.epoch, [])
        for entry in appended:
            self._follows(log, entry)
            log.append(entry)
        if log and (log[-1].offset, log[-1].n) != (int(held["s"]), int(held["n"])):
            raise Broken(f"the top is {held['s']}-{held['n']}, the log ends with {log[-1]}")
        before, self.members = self.members, self._members(held)
        awaited, self.awaited = self.awaited, _awaited(held)
        if single and not self.channel.startswith("user:"):
            self._comings_and_goings(before, awaited, [entry.heard for entry in appended])

    def damage(self, gone: int) -> None:
        """A fault took the oldest `gone` entries away."""
        self.damaged = True
        for entry in self.logs.get(self.epoch, [])[:gone]:
            entry.lost = True

    def keeps(self, offset: int) -> bool:
        """Whether all that was published after it is there to be recovered."""
        return offset >= self.removed and not self.damaged

    def forget(self) -> None:
        """A fault took the hash away, and with it the members."""
        self.epoch, self.members, self.awaited, self.lanes = "", {}, {}, 1

    def _follows(self, log: list[Entry], entry: Entry) -> None:
        offset, n = (log[-1].offset, log[-1].n) if log else (0, 0)
        following = (offset + 1, 0) if entry.heard.kind == "pub" else (offset, n + 1)
        if (entry.offset, entry.n) != following:
            raise Broken(f"{entry} follows {offset}-{n} in the log")

    def _members(self, held: dict[str, str]) -> dict[str, Member]:
        found: dict[str, Member] = {}
        for number, key in enumerate(self.lane_keys()):
            for name, text in (self._server.hgetall(key) if number else held).items():
                if name.startswith("m:"):
                    if name[2:] in found:
                        raise Broken(f"{name[2:]} is in two lanes")
                    state, _, listens, _, _, info, *_ = text.split("\n")
                    if state != "o":
                        found[name[2:]] = Member(state == "j", listens == "1", json.loads(info)["user"])
        return found

    def _comings_and_goings(
        self, before: Mapping[str, Member], awaited: Mapping[str, Member], told: Sequence[Heard]
    ) -> None:
        """Who comes while his user is awaited is not told, nor is the one that he replaces; all others are."""
        came, went = self.members.keys() - before.keys(), before.keys() - self.members.keys()
        given_up = awaited.keys() - self.awaited.keys()
        back = _users(self.members, came) & _users(awaited, awaited)
        if back - _users(awaited, given_up):
            raise Broken(f"{back} came back and are still awaited")
        everybody = ([*before.values(), *awaited.values()], [*self.members.values(), *self.awaited.values()])
        heard_before, heard_after = (any(member.listens for member in held) for held in everybody)
        if not self.awaited.keys() - awaited.keys() <= went:
            raise Broken(f"{went} went and {self.awaited} are awaited")
        joined = Counter({one.what: 1 for one in told if one.kind == "join"})
        due = _users(self.members, came) - back if heard_before else Counter[str]()
        if not joined.keys() <= came or _users(self.members, joined) != due:
            raise Broken(f"{came} came, {back} were awaited and {joined} was told")
        left = Counter(one.what for one in told if one.kind == "leave")
        gone = {**before, **awaited}
        owed = _users(gone, (went | given_up) - self.awaited.keys()) - back
        if not left.keys() <= went | given_up or max(left.values(), default=0) > 1:
            raise Broken(f"{went} went, {given_up} are not awaited any more and {left} was told")
        users = _users(gone, left)
        if users != owed and (heard_after or users - owed):
            raise Broken(f"of {owed} who went {users} was told")


def _users(members: Mapping[str, Member], chosen: Iterable[str]) -> "Counter[str]":
    return Counter(members[one].user for one in chosen)


def _awaited(held: Mapping[str, str]) -> dict[str, Member]:
    texts = {name[2:]: text.split("\n") for name, text in held.items() if name.startswith("h:")}
    return {one: Member(False, listens == "1", json.loads(info)["user"]) for one, (_, info, listens) in texts.items()}


def _entry(name: str, fields: dict[str, str]) -> Entry:
    offset, n = map(int, name.split("-"))
    ((kind, body),) = fields.items()
    return Entry(offset, n, _heard(kind, offset, json.loads(f"{{{body}}}" if kind == "pub" else body)))


def heard_of(push: dict[str, Any]) -> Heard | None:
    """A push's entry of a channel's log, if it is one."""
    for kind in ("pub", "join", "leave"):
        if kind in push:
            body = push[kind]
            return _heard(kind, body.get("offset", 0), body)
    return None


def publication_of(publication: dict[str, Any]) -> Heard:
    return _heard("pub", publication["offset"], publication)


def _heard(kind: str, offset: int, body: dict[str, Any]) -> Heard:
    if kind == "pub":
        return Heard(kind, offset, body["data"])
    return Heard(kind, 0, body.get("info", body)["client"])


@dataclass
class Story:
    """What one client heard of one channel since it was answered, as places in the log where it may stand."""

    truth: Truth
    listens: bool
    position: Position | None = None
    _log: list[Entry] = field(default_factory=list)
    _first: int = 0
    _places: set[int] = field(default_factory=set)

    def starts(self, reply: dict[str, Any], wanted: Position | None) -> None:
        """A subscription's reply: recovered means all that was missed, and otherwise none of it."""
        position = Position(reply["epoch"], reply["offset"])
        missed = [publication_of(found) for found in reply.get("publications", [])]
        if reply.get("recovered"):
            self._recovers(position, wanted, missed)
        elif missed:
            raise Broken(f"not recovered, and yet {missed}")
        elif wanted is not None and wanted.epoch == position.epoch and self.truth.keeps(wanted.offset):
            raise Broken(f"{wanted} could have been recovered at {position}")
        if position.epoch not in self.truth.logs:
            raise Broken(f"no such epoch: {position}")
        self._log = self.truth.logs[position.epoch]
        behind = [i for i, entry in enumerate(self._log) if entry.offset <= position.offset]
        passed = [i for i, entry in enumerate(self._log) if (entry.offset, entry.n) <= (position.offset, 0)]
        if position.offset and (not passed or self._log[passed[-1]].offset != position.offset):
            raise Broken(f"{position} is not in the log")
        self._first = len(passed)
        self._places = set(range(len(passed), len(behind) + 1))
        self.position = position

    def hears(self, entries: Sequence[Heard], faults: int) -> None:
        """One frame: it goes on where the last one ended; after a fault a piece may come again."""
        if not entries:
            return
        places = set()
        last = max(self._places)
        for start in range(self._first, last + 1):
            end = self._end_of(start, entries)
            if end is not None and start in self._places:
                places.add(end)
            elif end is not None and faults:
                places.update(max(place, end) for place in self._places if place > start)
        if not places:
            raise Broken(f"heard {entries} at {sorted(self._places)} of {self._log}")
        self._places = places
        for entry in entries:
            if entry.kind == "pub" and self.position is not None:
                self.position = Position(self.position.epoch, entry.offset)

    def misses(self) -> list[Heard]:
        """Publications in the log that the client should have and has not."""
        if self._log is not self.truth.logs.get(self.truth.epoch):
            return [entry.heard for entry in self.truth.logs.get(self.truth.epoch, []) if entry.heard.kind == "pub"]
        return [entry.heard for entry in self._log[max(self._places) :] if entry.heard.kind == "pub"]

    def _recovers(self, position: Position, wanted: Position | None, missed: Sequence[Heard]) -> None:
        if wanted is None or wanted.epoch != position.epoch:
            raise Broken(f"recovered {wanted} at {position}")
        log = self.truth.logs[position.epoch]
        owed = [e.heard for e in log if e.heard.kind == "pub" and wanted.offset < e.offset <= position.offset]
        if list(missed) != owed:
            raise Broken(f"recovered {wanted} at {position} with {missed} instead of {owed}")
        had = self._log[max(self._places) - 1].offset if self._log is log and max(self._places) else 0
        if self._log is log and had > position.offset:
            raise Broken(f"answered {position}, has been at {had}")

    def _end_of(self, start: int, entries: Sequence[Heard]) -> int | None:
        """The place after the entries, if they stand in the log from `start` on without a gap."""
        place = start
        for heard in entries:
            while place < len(self._log) and self._log[place].heard != heard and self._skippable(self._log[place]):
                place += 1
            if place == len(self._log) or self._log[place].heard != heard:
                return None
            place += 1
        return place

    def _skippable(self, entry: Entry) -> bool:
        return entry.heard.kind != "pub" and (entry.lost or not self.listens)


def chosen(things: list[_T], i: int) -> _T:
    """One of the things, whichever number a machine draws."""
    return things[i % len(things)]
