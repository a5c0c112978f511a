"""How a connection goes: out of its channels, each told once, and only then forgotten."""

import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, Final

from shared.auth.sockets import Socket
from shared.realtime.delivery import Delivery, Lane, channel_keys, lane_key, user_key
from shared.realtime.namespaces import namespace_of, personal_channel
from shared.state.client import Argument, Redis
from shared.state.keys import Key
from shared.state.scripts import script
from shared.tenant.scope import TenantScope

BACK_WITHIN_S: Final = 10
_LEAVES_A_CALL: Final = 16
# So often a connection may subscribe to more while it is taken out; then it is first made to act no more.
_TRIES: Final = 2
_ANY: Final = "*"
_DISCONNECT: Final = script(__file__, "disconnect")


class Departures:
    """Takes connections out of everything they are in, whoever else does so at the same time."""

    def __init__(self, redis: Redis, delivery: Delivery) -> None:
        self._redis = redis
        self._delivery = delivery

    def disconnect(self, socket: Socket, *, if_lease_ended: bool, comes_back: bool) -> bool:
        """False when there was no such connection, or its lease goes on.

        If it comes back, others hear of it only when its user has not done so within BACK_WITHIN_S.
        """
        going = _Going(socket, if_lease_ended, comes_back)
        for attempt in count():
            if attempt == _TRIES:
                self._take_out(going, _ANY, (), last=False)
            held = self._redis.call("HMGET", going.user, f"c:{socket.connection}", f"s:{socket.connection}")
            if not held[0]:
                self._take_out(going, "", (), last=True)
                return False
            status = self._leave_all(going, held[1] or "")
            if status != "changed":
                break
        return status != "alive"

    def _leave_all(self, going: "_Going", subscriptions: str) -> str:
        """`deliver` tells the others."""
        lanes, told, status = going.lanes(subscriptions), list[Lane](), "ok"
        for start in range(0, max(1, len(lanes)), _LEAVES_A_CALL):
            part = lanes[start : start + _LEAVES_A_CALL]
            status, *heard = self._take_out(going, subscriptions, part, last=start + _LEAVES_A_CALL >= len(lanes))
            if status in ("alive", "changed"):
                break
            # Gone meanwhile: by somebody else, or by ourselves in an attempt whose answer was lost.
            told += [lane for lane, waits in zip(part, heard or [1] * len(part), strict=True) if waits]
        if told:
            # A little later than due, by whatever clock.
            self._delivery.enqueue(going.scope, told, BACK_WITHIN_S + 1 if going.comes_back else 0)
        return status

    def _take_out(self, going: "_Going", subscriptions: str, lanes: Sequence[Lane], *, last: bool) -> Any:
        scope = going.scope
        return self._redis.run(
            _DISCONNECT,
            {
                "user": going.user,
                "leases": scope.key("leases"),
                "addresses": scope.key("addresses"),
                "lanes": scope.key("lanes"),
            },
            {**going.args(), "subscriptions": subscriptions, "last": int(last)},
            more_keys=[key for lane in lanes for key in _lane_keys(scope, lane)],
            more_args=[part for lane in lanes for part in _lane_args(lane)],
            before=self._delivery.note_lanes(scope) if lanes else (),
            idempotent=True,
        )


class _Going:
    """One connection on its way out, and how it goes."""

    def __init__(self, socket: Socket, if_lease_ended: bool, comes_back: bool) -> None:
        self.scope, self.user = socket.scope, user_key(socket.scope, socket.user)
        self.comes_back = comes_back
        self._connection, self._address = socket.connection, socket.address
        self._personal = personal_channel(socket.user)
        self._if_lease_ended = if_lease_ended

    def lanes(self, subscriptions: str) -> list[Lane]:
        return [Lane(*lane) for lane in _subscribed(subscriptions) if lane[0] != self._personal]

    def args(self) -> dict[str, Argument]:
        return {
            "conn": self._connection,
            "address": self._address,
            "only_ended": int(self._if_lease_ended),
            "now_ms": int(time.time() * 1000),
            "back_ms": BACK_WITHIN_S * 1000 if self.comes_back else 0,
        }


def _subscribed(subscriptions: str) -> Iterator[tuple[str, int]]:
    """Channels and lanes by their text (auth/lua/subscriptions.lua)."""
    for channel, _, subscribed, *lane in map(str.split, subscriptions.splitlines()):
        if subscribed == "1":
            yield channel, int(lane[0]) if lane else 1


def _lane_keys(scope: TenantScope, lane: Lane) -> tuple[Key, Key, Key]:
    keys = channel_keys(scope, lane.channel)
    return keys["channel"], lane_key(scope, *lane), keys["log"]


def _lane_args(lane: Lane) -> tuple[Argument, ...]:
    options = namespace_of(lane.channel)
    return lane.channel, lane.number, options.shown_size, options.shown_ms, int(options.join_leave)
