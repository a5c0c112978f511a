"""What time does to connections and lanes: sweep calls it per tenant, and only where something is due."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from shared.auth.sockets import Socket, Sockets
from shared.observe.log import failed
from shared.realtime.connections import KEPT_ALIVE_AHEAD_MS, LEASE_MS, Connections
from shared.realtime.delivery import Delivery, Lane, user_key
from shared.realtime.protocol import EXPIRED, FORCE_RECONNECT, KEEP_ALIVE, STALE
from shared.realtime.sender import Outcome, Post, Sender
from shared.state.client import Argument, Redis
from shared.state.scripts import script
from shared.tenant.scope import TenantScope

_BATCH: Final = 200
# A busy lane goes on in `deliver`, so that it does not use up the time of others.
_LANE_S: Final = 2.0
_SENDS_A_SECOND: Final = 1_000
_RENEW: Final = script(__file__, "renew")


class Upkeep:
    """Reaps ended leases, keeps idle sockets alive, resumes lanes; returns the next deadline (unix ms) or None."""

    def __init__(
        self,
        redis: Redis,
        sockets: Sockets,
        connections: Connections,
        delivery: Delivery,
        sender: Sender,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._redis = redis
        self._sockets = sockets
        self._connections = connections
        self._delivery = delivery
        self._sender = sender
        self._now = now

    def prove_or_close(self, connections: Sequence[str]) -> None:
        """Sockets that were admitted without identity and have not proven one are closed."""
        found = self._sockets.find_many(connections)
        unproven = [connection for connection, socket in zip(connections, found, strict=True) if socket is None]
        self._delivery.close(unproven, STALE)

    def resume(self, scope: TenantScope, until: float) -> int | None:
        """Goes on with lanes whose holder died; `until` is time.monotonic."""
        looked_at: set[str] = set()
        while names := [name for name in self._due_lanes(scope) if name not in looked_at]:
            for name in names:
                if time.monotonic() >= until:
                    return self._earliest(scope, "lanes")
                self._try_to_wake(scope, Lane.named(name), until)
            looked_at.update(names)
        return self._earliest(scope, "lanes")

    def _due_lanes(self, scope: TenantScope) -> list[str]:
        """The longest overdue first; more when a lane went and made the one before it due."""
        found: list[str] = self._redis.call("ZRANGE", scope.key("lanes"), "-inf", self._now_ms(), "BYSCORE")
        return found

    def _try_to_wake(self, scope: TenantScope, lane: Lane, until: float) -> None:
        """A lane that fails stays due and keeps no other from its turn."""
        try:
            self._delivery.wake(scope, lane.channel, min(until, time.monotonic() + _LANE_S), lane.number)
        except Exception as error:
            failed("lanes.resume", error)

    def leases(self, scope: TenantScope, until: float) -> int | None:
        """Sends the keep-alive to connections whose lease is about to end, then reaps those whose lease ended."""
        self._keep_alive(scope, until)
        while ended := self._ending(scope, "-inf", self._now_ms()):
            self._reap(scope, ended)
            if time.monotonic() >= until or len(ended) < _BATCH:
                break
        # Addresses that nobody is connected from any more.
        self._redis.call("ZREMRANGEBYSCORE", scope.key("addresses"), "-inf", 0, idempotent=True)
        earliest = self._earliest(scope, "leases")
        return None if earliest is None else earliest - KEPT_ALIVE_AHEAD_MS

    def _reap(self, scope: TenantScope, connections: Sequence[str]) -> None:
        ended: list[str] = []
        for connection, socket in zip(connections, self._sockets.find_many(connections), strict=True):
            if socket is None or socket.scope != scope:
                self._forget(scope, connection)
            elif self._connections.disconnect(socket, if_lease_ended=True):
                ended.append(connection)
        self._delivery.close(ended, EXPIRED)

    def _forget(self, scope: TenantScope, connection: str) -> None:
        """Nobody knows whose it was, nor where it was counted: rather count anew than refuse somebody for it."""
        lease: list[Argument] = ["ZREM", scope.key("leases"), connection]
        self._redis.pipeline([lease, ["DEL", scope.key("addresses")]], idempotent=True)

    def _keep_alive(self, scope: TenantScope, until: float) -> None:
        soon = self._now_ms() + KEPT_ALIVE_AHEAD_MS
        ending = self._ending(scope, self._now_ms(), soon, limit=10_000)
        for start in range(0, len(ending), _BATCH):
            if time.monotonic() >= until:
                return
            began = time.monotonic()
            self._keep_alive_batch(scope, ending[start : start + _BATCH])
            time.sleep(max(0.0, _BATCH / _SENDS_A_SECOND - (time.monotonic() - began)))

    def _keep_alive_batch(self, scope: TenantScope, connections: Sequence[str]) -> None:
        posts = [Post(connection, [KEEP_ALIVE.encode()]) for connection in connections]
        outcomes = self._sender.post(posts, time.monotonic() + 2 * self._sender.timeout_s).outcomes
        owned = [socket for socket in self._sockets.find_many(connections) if socket is not None]
        delivered = [socket for socket in owned if outcomes[socket.connection] is Outcome.DELIVERED]
        old = self._renew(scope, delivered) if delivered else []
        for socket in owned:
            if outcomes[socket.connection] is Outcome.GONE:
                self._connections.disconnect(socket)
        self.ask_back([socket for socket in owned if socket.connection in old])

    def ask_back(self, sockets: Sequence[Socket]) -> None:
        """Has clients come again before API Gateway closes; nobody hears of it when they do."""
        for socket in sockets:
            try:
                self._connections.disconnect(socket, comes_back=True)
            except Exception as error:
                failed("connections.ask_back", error)
        self._delivery.close([socket.connection for socket in sockets], FORCE_RECONNECT)

    def _renew(self, scope: TenantScope, sockets: Sequence[Socket]) -> list[str]:
        """Returns those that API Gateway will close soon because they are two hours old."""
        old: list[str] = self._redis.run(
            _RENEW,
            {"leases": scope.key("leases")},
            {"lease_ms": LEASE_MS, "ahead_ms": KEPT_ALIVE_AHEAD_MS},
            more_keys=[user_key(scope, socket.user) for socket in sockets],
            more_args=[socket.connection for socket in sockets],
            idempotent=True,
        )
        return old

    def _ending(self, scope: TenantScope, low: Any, high: int, limit: int = _BATCH) -> list[str]:
        found = self._redis.call("ZRANGE", scope.key("leases"), low, high, "BYSCORE", "LIMIT", 0, limit)
        return [str(connection) for connection in found]

    def _earliest(self, scope: TenantScope, kind: str) -> int | None:
        first = self._redis.call("ZRANGE", scope.key(kind), 0, 0, "WITHSCORES")
        return int(float(first[1])) if first else None

    def _now_ms(self) -> int:
        return int(self._now() * 1000)
