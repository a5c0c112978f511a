"""Tenants with clients in one simulated environment: everything that happens to them happens through it."""

import re
from collections.abc import Callable, Container, Sequence
from itertools import count
from typing import Any, Final

import redis

from functions.message.commands import Commands
from functions.message.frames import answer
from shared.auth.identity import Identity, Permission
from shared.auth.subscription_tokens import SubscriptionTokens
from shared.realtime.delivery import lane_of
from shared.realtime.protocol import FORCE_RECONNECT
from shared.settings import Settings
from shared.state.errors import OutcomeUnknown
from shared.tenant.scope import SCOPE_SEAL, TenantScope
from tests.support.promises import Broken, Truth
from tests.support.simulated_client import Client, Socket
from tests.support.simulation import Handler, Simulation

ROOM: Final = "chat:room"
USERS: Final = ("ann", "ann", "bob")
_METHOD: Final = re.compile(r'"id": (\d+, "[a-z]+)"')
# By a handler's clock: longer than it may take.
_UNTIL: Final = 1_020.0


class Tenant:
    """One tenant's clients (those of `listening` hear joins and leaves), and what is true of its channels."""

    def __init__(self, world: "World", name: str, faults: Callable[[], int], listening: Container[int]) -> None:
        self.scope = TenantScope(name, SCOPE_SEAL)
        self.channels = [ROOM, *(f"user:{user}" for user in sorted(set(USERS)))]
        self.truths = {channel: Truth(world.server, self.scope, channel) for channel in self.channels}
        self.acknowledged: set[Any] = set()
        self.sockets: list[Socket] = []
        self.hangups: list[str] = []
        self.clients = [self._client(world, user, i in listening, faults) for i, user in enumerate(USERS)]
        self._values, self._serial = count(1), count(1)

    @property
    def room(self) -> Truth:
        return self.truths[ROOM]

    def next_value(self) -> int:
        return next(self._values)

    def next_connection(self, user: str) -> str:
        return f"{self.scope.label}-{user}-{next(self._serial)}"

    def _client(self, world: "World", user: str, listens: bool, faults: Callable[[], int]) -> Client:
        return Client(
            user,
            self.room,
            self.truths[f"user:{user}"],
            listens=listens,
            open_socket=lambda client: world.open_socket(self, client),
            send=lambda socket, frame: world.send(self, socket, frame),
            hang_up=lambda socket: world.hang_up(self, socket),
            faults=faults,
        )


class World:
    """One environment, its handlers, and the tenants it serves; their names are always the same, as is the order of
    everything that is sorted by them, so the database is theirs alone and begins empty."""

    def __init__(self, server: "redis.Redis", lane_size: int = 1_000) -> None:
        self.server: Any = server
        server.flushdb()
        self.tenants: list[Tenant] = []
        self.simulation = Simulation(Settings(lane_size=lane_size), server, self._look)
        self.realtime = self.simulation.realtime

    def tenant(self, name: str, faults: Callable[[], int], listening: Container[int] = (0,)) -> Tenant:
        tenant = Tenant(self, name, faults, listening)
        self.tenants.append(tenant)
        return tenant

    def open_socket(self, tenant: Tenant, client: Client) -> Socket:
        socket = Socket(tenant.next_connection(client.user), client)
        tenant.sockets.append(socket)
        self.simulation.sockets[socket.connection] = socket
        return socket

    def hang_up(self, tenant: Tenant, socket: Socket) -> None:
        """The client closes; `$disconnect` may or may not come."""
        if self.simulation.sockets.pop(socket.connection, None) is not None:
            tenant.hangups.append(socket.connection)

    def send(self, tenant: Tenant, socket: Socket, frame: str) -> None:
        """Has a client's frame handled; the route's response goes to the socket, too."""

        def handle() -> None:
            commands = Commands(self.realtime, _Tokens(tenant.scope), SubscriptionTokens(Settings()), {})  # type: ignore[arg-type]
            about: dict[str, Any] = {"connection": socket.connection, "address": "1.2.3.4", "context": None}
            told = answer(commands, self.realtime.delivery, text=frame, **about)
            self.simulation.attempt(
                f"answer {socket.connection}", lambda: self.simulation.arrive(socket.connection, told)
            )

        self.simulation.spawn(f"{' '.join(_METHOD.findall(frame))} of {socket.connection}", handle)

    def publish(self, tenant: Tenant, channel: str, key: str = "") -> Handler:
        value = tenant.next_value()

        def handle() -> None:
            done = self.realtime.channels.publish(tenant.scope, channel, str(value).encode(), idempotency_key=key)
            log = tenant.truths[channel].logs.get(done.epoch, [])
            if not any(entry.heard == ("pub", done.offset, value) for entry in log):
                self.simulation.broken.append(Broken(f"{value} is not at {done.offset} of {log}"))
            tenant.acknowledged.add(value)

        return self._spawn(f"publish {value} to {channel}", handle)

    def remove_history(self, tenant: Tenant) -> Handler:
        return self._spawn("remove history", lambda: self.realtime.channels.remove_history(tenant.scope, ROOM))

    def kick(self, tenant: Tenant, connection: str) -> Handler:
        channels = self.realtime.channels
        return self._spawn(f"kick {connection}", lambda: channels.disconnect(tenant.scope, connection, FORCE_RECONNECT))

    def ask_back(self, tenant: Tenant, connections: Sequence[str]) -> Handler:
        """What sweep does with sockets that are nearly two hours old."""

        def handle() -> None:
            found = self.realtime.sockets.find_many(connections)
            self.realtime.upkeep.ask_back([socket for socket in found if socket is not None])

        return self._spawn(f"ask {', '.join(connections)} back", handle)

    def give_up(self, truth: Truth) -> None:
        """Who is awaited has had his time."""
        for field, text in self.server.hgetall(truth.key).items():
            if field.startswith("h:"):
                self.server.hset(truth.key, field, "1\n" + text.partition("\n")[2])
                self.simulation.note(f"{field[2:]} is awaited no longer")

    def disconnected(self, connection: str) -> Handler:
        """`$disconnect`, which comes late, or never, or because the lease ended."""

        def handle() -> None:
            found = self.realtime.sockets.find(connection)
            if found is not None:
                self.realtime.connections.disconnect(found)

        return self._spawn(f"disconnect {connection}", handle)

    def deliver(self, message: str) -> Handler:
        label, lane = lane_of(message)
        scope, wake = TenantScope(label, SCOPE_SEAL), self.realtime.delivery.wake
        return self._spawn(f"deliver {lane}", lambda: wake(scope, lane.channel, _UNTIL, lane.number))

    def sweep(self, tenant: Tenant) -> Handler:
        return self._spawn("sweep", lambda: self.realtime.upkeep.resume(tenant.scope, _UNTIL))

    def end_leases(self, tenant: Tenant) -> Handler:
        """The other thing that sweep does."""
        return self._spawn("leases", lambda: self.realtime.upkeep.leases(tenant.scope, _UNTIL))

    def owner(self, key: str) -> Handler | None:
        """Who holds the lane."""
        return self.simulation.owners.get(self.server.hget(key, "o") or "")

    def expire(self, key: str) -> bool:
        """The lane's lease runs out, and its holder, if it lives, has slept for longer; False without a holder."""
        owner, due = self.server.hget(key, "o"), self.server.hget(key, "d")
        if not owner or due == "1":
            return False
        self.server.hset(key, mapping=dict.fromkeys(("d", "w", "b"), 1))
        self.simulation.note(f"lease of {key} runs out")
        self.simulation.pass_lease(owner)
        return True

    def pass_quarter_of_an_hour(self, truth: Truth) -> None:
        """No holder who vanished comes back any more."""
        for key in truth.lane_keys():
            if self.server.hget(key, "u"):
                self.server.hset(key, "u", 1)
        self.simulation.note(f"{truth.channel} is quiet for a quarter of an hour")

    def _spawn(self, name: str, work: Callable[[], Any]) -> Handler:
        """A lost answer fails the invocation, and that is all."""

        def handle() -> None:
            try:
                work()
            except OutcomeUnknown:
                self.simulation.note(f"{name} failed")

        return self.simulation.spawn(name, handle)

    def _look(self, wire: str) -> None:
        for tenant in self.tenants:
            for truth in tenant.truths.values():
                if truth.log_key in wire:
                    truth.look()


class _Tokens:
    """Takes a user's name for his token; what tokens are worth is tested elsewhere."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def from_token(self, token: str, tenant: str | None = None) -> Identity:
        granted = frozenset((Permission.READ, Permission.WRITE))
        return Identity(self._scope, token, granted, f"session-of-{token}", 0, 0, "token")
