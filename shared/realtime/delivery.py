"""Ordered, at-least-once delivery: whoever got a lane's lease from a script sends what the script claimed, and only he.

The scripts decide (lua/channel.lua), this sends and reports back (lua/advance.lua); DESIGN §6 says why it is safe.
"""

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from shared.auth.due import DueIndex
from shared.observe.log import failed
from shared.observe.metrics import count
from shared.realtime.claims import Claim
from shared.realtime.namespaces import namespace_of, personal_channel, thing_of
from shared.realtime.protocol import SLOW, ServerDisconnect, disconnect_push
from shared.realtime.sender import Outcome, Post, Sender
from shared.realtime.tally import Delivered, Tally
from shared.state.client import Argument, Redis
from shared.state.keys import Key
from shared.state.scripts import script
from shared.tenant.scope import TenantScope

LEASE_MS: Final = 10_000
_AFTER_LEASE_S: Final = 11
# Within a lease: sends begin; those under way come to an end; who must be closed is closed.
_SENDING_S: Final = 3.0
# A batch may be begun at the last moment of a drain.
_LAST_BATCH_S: Final = 0.7
# Before others try who could not be reached: soon where some could, for then it is the account that is throttled.
_THROTTLED_S, _REFUSED_S = 1, 11
_REAPED_ANYWAY: Final = 10
# Between looks at a lane that somebody holds.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.5
_ADVANCE: Final = script(__file__, "advance")
_WAKE: Final = script(__file__, "wake")


@dataclass(frozen=True)
class Event:
    """One attempt to change a channel: the keys and arguments that a script with `channel_publish` wants.

    `started` is taken before the script is sent, so that the lease's deadline is never thought later than it is.
    With a `second` channel, the script's keys and arguments hold that one's, too, under names that end in 2.
    """

    scope: TenantScope
    channel: str
    started: float
    own_keys: dict[str, Key]
    own_args: dict[str, Argument]
    before: list[list[Argument]]
    lane: int = 1
    second: "Event | None" = None

    @property
    def keys(self) -> dict[str, Key]:
        if self.second is None:
            return self.own_keys
        return {**self.own_keys, "channel2": self.second.own_keys["channel"], "log2": self.second.own_keys["log"]}

    @property
    def args(self) -> dict[str, Argument]:
        return self.own_args if self.second is None else {**self.own_args, "channel2": self.second.channel}

    @property
    def lane_keys(self) -> dict[str, Key]:
        """For scripts that deal with one lane of the channel."""
        return {**self.own_keys, "lane": lane_key(self.scope, self.channel, self.lane)}

    @property
    def lane_args(self) -> dict[str, Argument]:
        return {**self.own_args, "lane": self.lane}


class Lane(NamedTuple):
    """One lane of a channel."""

    channel: str
    number: int = 1

    @classmethod
    def named(cls, name: str) -> "Lane":
        """By its name in the tenant's `lanes` (lua/lane.lua)."""
        number, space, channel = name.partition(" ")
        return cls(channel, int(number)) if space else cls(name)


class Delivery:
    """Prepares events and drains what they claim.

    `reap` is called with connections found gone, `queue` with the messages of lanes that others must go on with.
    """

    def __init__(
        self,
        redis: Redis,
        due: DueIndex,
        sender: Sender,
        *,
        inline_ms: int,
        queue: Callable[[Sequence[str], int], None],
        reap: Callable[[TenantScope, str], None],
    ) -> None:
        self._redis = redis
        self._due = due
        self._sender = sender
        self._inline_s = inline_ms / 1000
        self._queue = queue
        self._reap = reap

    def event(self, scope: TenantScope, channel: str, second: str | None = None, *, lane: int = 1) -> Event:
        """What a script needs to append to `channel` (and to `second`) and to claim its lane; to be sent at once."""
        return self._event(scope, channel, second, lane, self.note_lanes(scope))

    def _event(
        self, scope: TenantScope, channel: str, second: str | None, lane: int, before: list[list[Argument]]
    ) -> Event:
        options = namespace_of(channel)
        args: dict[str, Argument] = {
            "channel": channel,
            "owner": secrets.token_urlsafe(9),
            "birth": new_epoch(),
            "history_size": options.shown_size,
            "history_ttl_ms": options.shown_ms,
            "join_leave": int(options.join_leave),
        }
        keys = {**channel_keys(scope, channel), "leases": scope.key("leases"), "lanes": scope.key("lanes")}
        other = None
        if second is not None:
            other = self._event(scope, second, None, 1, [])
            # One script takes both lanes, in one name.
            other.own_args["owner"] = args["owner"]
        return Event(scope, channel, time.monotonic(), keys, args, before, lane, other)

    def finish(self, event: Event, claim: Any, *more: Any) -> Delivered:
        """Drains what the script claimed, for a bounded time; `more` is the second channel's claim.

        Further lanes are left to `deliver`.
        """
        left = 0
        if isinstance(claim, list) and claim[0] == "left":
            _, lanes, left, claim = claim
            self.enqueue(event.scope, [Lane(event.channel, number) for number in range(2, int(lanes) + 1)])
        done = self._drain(event, claim, event.started + self._inline_s, int(left))
        if event.second is not None and more:
            done += self.finish(event.second, more[0])
        return done

    def wake(self, scope: TenantScope, channel: str, until: float, lane: int = 1) -> Delivered:
        """Takes a lane that may have work and drains it until `until` (time.monotonic); harmless when it has none."""
        event, claim = self._wake(scope, Lane(channel, lane))
        return self._drain(event, claim, until)

    def settle(self, scope: TenantScope, lane: Lane, until: float) -> bool:
        """Sees to it that the lane's members have got all there is; False when that was not so by `until`."""
        pause = _FIRST_PAUSE_S
        while time.monotonic() < until:
            event, claim = self._wake(scope, lane)
            if claim == "idle":
                return True
            if claim == "held":
                time.sleep(pause)
                pause = min(_LONGEST_PAUSE_S, pause * 2)
            self._drain(event, claim, until)
        return False

    def _wake(self, scope: TenantScope, lane: Lane) -> tuple[Event, Any]:
        """Needs no note: a lane with work stands in the tenant's `lanes`, which sweep looks at until it is empty."""
        event = self._event(scope, lane.channel, None, lane.number, [])
        return event, self._redis.run(_WAKE, event.lane_keys, event.lane_args)

    def enqueue(self, scope: TenantScope, lanes: Sequence[Lane], delay_s: int = 0) -> None:
        """Has `deliver` look at these lanes; where the queue is down, sweep finds them."""
        if not lanes:
            return
        try:
            self._queue([lane_message(scope, lane) for lane in lanes], delay_s)
        except Exception as error:
            failed("lanes.enqueue", error)

    def note_lease(self, scope: TenantScope, lease_ms: int) -> list[list[Argument]]:
        """The command that has sweep look at a lease that begins now."""
        return self._due.note(scope, "leases", int(time.time() * 1000) + lease_ms)

    def note_lanes(self, scope: TenantScope) -> list[list[Argument]]:
        """The command that has sweep look at the scope's lanes when a lease from now has ended."""
        return self._due.note(scope, "lanes", int(time.time() * 1000) + LEASE_MS)

    def push(self, connection: str, frames: Sequence[str]) -> Outcome:
        """Sends frames that belong to no channel to one connection."""
        posts = [Post(connection, [frame.encode() for frame in frames])]
        return self._sender.post(posts, time.monotonic() + 2.0).outcomes[connection]

    def close(self, connections: Sequence[str], why: ServerDisconnect) -> None:
        """Tells the clients why, then has API Gateway close their sockets (it takes no close code)."""
        self._sender.close(connections, disconnect_push(why).encode())

    def _drain(self, event: Event, claim: Any, until: float, left: int = 0) -> Delivered:
        """Never raises: what was appended stays appended, and where this fails the lease runs out (DESIGN §6.7)."""
        tally = Tally(left)
        try:
            self._serve(event, claim, until, tally)
        except Exception as error:
            failed("lanes.drain", error)
            self.enqueue(event.scope, [Lane(event.channel, event.lane)], _AFTER_LEASE_S)
        self._reap_found(event.scope, tally, until)
        total = tally.total()
        count(**total.as_dict())
        return total

    def _reap_found(self, scope: TenantScope, tally: Tally, until: float) -> None:
        """Whom we closed might still be there and must find nothing; of many gone ones, some are left to sweep."""
        for connection in tally.closed:
            self._try_to_reap(scope, connection)
        for reaped, connection in enumerate(tally.gone - tally.closed):
            if reaped >= _REAPED_ANYWAY and time.monotonic() >= until:
                break
            self._try_to_reap(scope, connection)

    def _try_to_reap(self, scope: TenantScope, connection: str) -> None:
        """What this leaves undone is done when the connection's lease ends."""
        try:
            self._reap(scope, connection)
        except Exception as error:
            failed("connections.reap", error)

    def _serve(self, event: Event, claim: Any, until: float, tally: Tally) -> None:
        started, pause = event.started, 0
        while isinstance(claim, list):
            batch = Claim(event.channel, claim)
            self._send(batch, min(started + _SENDING_S, until + _LAST_BATCH_S), tally)
            pause = _pause_after(batch)
            more, started = time.monotonic() < until and pause != _REFUSED_S, time.monotonic()
            claim = self._advance(event, batch, more)
            if claim == "handover" and not pause:
                tally.hand_over(batch.served)
        if claim == "handover":
            self.enqueue(event.scope, [Lane(event.channel, event.lane)], pause)
        elif claim == "busy":
            self.enqueue(event.scope, [Lane(event.channel, event.lane)], _AFTER_LEASE_S)

    def _send(self, batch: Claim, deadline: float, tally: Tally) -> None:
        posts = [Post(served.connection, served.frames) for served in batch.served if served.frames]
        report = self._sender.post(posts, deadline)
        tally.add(report)
        for served in batch.served:
            served.outcome = report.outcomes.get(served.connection, served.outcome)
        closed = [served.connection for served in batch.served if served.is_closed]
        tally.closed.update(closed)
        if closed:
            self.close(closed, SLOW)

    def _advance(self, event: Event, batch: Claim, more: bool) -> Any:
        """Where some could not be reached, the cursor waits for them, and nobody gets anything twice."""
        every = all(served.outcome is not Outcome.UNSENT for served in batch.served)
        told = [(one.connection, one.membership, one.change(all_served=every)) for one in batch.served]
        changes = [part for change in told if change[2] for part in change]
        args = {**event.lane_args, "epoch": batch.epoch, "hi": batch.hi, "all": int(every), "more": int(more)}
        return self._redis.run(_ADVANCE, event.lane_keys, args, more_args=changes, idempotent=True)


def _pause_after(batch: Claim) -> int:
    """How long (s) the lane is better left alone: 0 where everybody was reached."""
    outcomes = {served.outcome for served in batch.served}
    if Outcome.UNSENT not in outcomes:
        return 0
    return _THROTTLED_S if Outcome.DELIVERED in outcomes else _REFUSED_S


def new_epoch() -> str:
    return secrets.token_urlsafe(6)


def channel_keys(scope: TenantScope, channel: str) -> dict[str, Key]:
    """The channel's hash and log; a personal channel's hash is its user's hash."""
    user = thing_of(channel, "user")
    held = scope.key("user", user) if user is not None else scope.key("ch", channel)
    return {"channel": held, "log": scope.key("log", channel)}


def user_key(scope: TenantScope, user: str) -> Key:
    return channel_keys(scope, personal_channel(user))["channel"]


def lane_key(scope: TenantScope, channel: str, lane: int) -> Key:
    """The hash of a lane; the first lives in the channel's own."""
    return channel_keys(scope, channel)["channel"] if lane == 1 else scope.key("lane", channel, str(lane))


def lane_message(scope: TenantScope, lane: Lane) -> str:
    """The queue message of a lane: it names the lane and nothing else, so it may come late or twice."""
    return json.dumps({"tenant": scope.label, "channel": lane.channel, "lane": lane.number})


def lane_of(message: str) -> tuple[str, Lane]:
    """The tenant and the lane that a message names."""
    named = json.loads(message)
    return named["tenant"], Lane(named["channel"], int(named["lane"]))
